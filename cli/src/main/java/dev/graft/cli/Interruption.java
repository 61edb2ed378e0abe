package dev.graft.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;

/**
 * Ctrl-C and SIGTERM. The virtual machine goes down only after the command has come to a stop by itself, since a native call that
 * is cut off in the middle crashes; a long command asks {@link #requested} between its steps and returns. What has something to save is
 * {@link #awaited} however long that takes, anything else for half a minute. A second signal ends the process at once. The exit code is the
 * virtual machine's: 130 or 143.
 */
public final class Interruption implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 30;

    /** A parent process passes on what the terminal has sent to both: within this time it is the same wish. */
    private static final int SAME_WISH_MILLIS = 1000;

    private static final int SIGNALLED = 128;

    private static volatile boolean requested;
    private static volatile @Nullable Work work;

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

    /** What the process waits for, until it is closed. */
    public record Work(Runnable says) implements AutoCloseable {
        @Override
        public void close() {
            work = null;
        }
    }

    /**
     * Has the process wait for the command until the result is closed, when it is asked to end.
     *
     * @param says tells a person, from another thread, what is being done before the end
     */
    public static Work awaited(Runnable says) {
        Work begun = new Work(says);
        work = begun;
        return begun;
    }

    private void waitForCommand() {
        if (stopped.getCount() == 0) {
            return;
        }
        requested = true;
        Work saving = work;
        if (saving != null) {
            saving.says().run();
        }
        try {
            if (stopped.await(SAME_WISH_MILLIS, TimeUnit.MILLISECONDS)) {
                return;
            }
            for (String name : new String[] {"INT", "TERM"}) {
                Signal.handle(new Signal(name), signal -> Runtime.getRuntime().halt(SIGNALLED + signal.getNumber()));
            }
            int waited = 0;
            while (!stopped.await(1, TimeUnit.SECONDS)) {
                waited = work == null ? waited + 1 : 0;
                if (waited >= PATIENCE_SECONDS) {
                    System.err.println("the command did not stop within " + PATIENCE_SECONDS + " s");
                    return;
                }
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
