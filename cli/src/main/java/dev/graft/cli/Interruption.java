package dev.graft.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C and SIGTERM. The virtual machine goes down only after the command has come to a stop by itself, since a native call that
 * is cut off in the middle crashes; a long command asks {@link #requested} between its steps and returns. The exit code is the
 * virtual machine's: 130 or 143.
 */
public final class Interruption implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 30;
    private static volatile boolean requested;

    private final CountDownLatch stopped = new CountDownLatch(1);

    private Interruption() {}

    static Interruption install() {
        Interruption interruption = new Interruption();
        Runtime.getRuntime().addShutdownHook(new Thread(interruption::waitForCommand, "interruption"));
        return interruption;
    }

    /** Whether the process has been asked to end. */
    public static boolean requested() {
        return requested;
    }

    private void waitForCommand() {
        if (stopped.getCount() == 0) {
            return;
        }
        requested = true;
        try {
            boolean inTime = stopped.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (!inTime) {
                System.err.println("the command did not stop within " + PATIENCE_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The command has come to its end. */
    @Override
    public void close() {
        stopped.countDown();
    }
}
