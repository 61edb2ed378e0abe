package dev.graft.cli.terminal;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;

/**
 * Handles Ctrl-C and SIGTERM. The JVM exits only after the command has stopped by itself, since an aborted native call crashes. A long
 * command checks {@link #requested} between its steps and returns. Commands with something to save are {@link #awaited} without a limit,
 * others for half a minute. A second signal ends the process at once. The exit code is the JVM's, 130 or 143.
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

    public static Interruption install() {
        Interruption interruption = new Interruption();
        Runtime.getRuntime().addShutdownHook(new Thread(interruption::waitForCommand, "interruption"));
        return interruption;
    }

    /** Returns whether a signal has requested the end of the process. */
    public static boolean requested() {
        return requested;
    }

    /** Work for whose end the process waits. */
    public record Work(Runnable says) implements AutoCloseable {
        @Override
        public void close() {
            work = null;
        }
    }

    /**
     * Delays the exit of the process after a signal until the result is closed.
     *
     * @param says called from another thread to report what the command does before the end
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

    /** Called when the command has ended; lets the process exit. */
    @Override
    public void close() {
        stopped.countDown();
    }
}
