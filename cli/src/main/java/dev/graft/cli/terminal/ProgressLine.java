package dev.graft.cli.terminal;

import java.io.PrintWriter;
import java.util.function.LongSupplier;

/**
 * Shows progress, on a terminal as one line that is redrawn, elsewhere as a line every few steps. Other lines ({@link #print}) go above the
 * live one. Safe for use by several threads.
 */
public final class ProgressLine implements AutoCloseable {
    private static final long REDRAW_NANOS = 100_000_000;
    private static final long LINE_NANOS = 5_000_000_000L;
    private static final String START = "\r\033[K";
    // Without automatic wrapping the terminal cuts the line at its edge, however wide it is now.
    private static final String NO_WRAP = "\033[?7l";
    private static final String WRAP = "\033[?7h";

    private final PrintWriter out;
    private final boolean live;
    private final int loggingSteps;
    private final LongSupplier nanos;
    private long drawnAt;
    private long shownStep = -1;
    private String shown = "";
    private String latest = "";
    private boolean latestIsShown = true;

    /**
     * Creates a progress line.
     *
     * @param live true if {@code out} is a terminal
     * @param loggingSteps the steps between two lines if it isn't
     */
    public ProgressLine(PrintWriter out, boolean live, int loggingSteps) {
        this(out, live, loggingSteps, System::nanoTime);
    }

    ProgressLine(PrintWriter out, boolean live, int loggingSteps, LongSupplier nanos) {
        this.out = out;
        this.live = live;
        this.loggingSteps = loggingSteps;
        this.nanos = nanos;
        this.drawnAt = nanos.getAsLong() - REDRAW_NANOS;
    }

    /** Shows the status of a run, if the last line is old enough. */
    public synchronized void update(RunStatus status) {
        boolean last = status.step() == status.steps();
        latest = status.line();
        latestIsShown = false;
        if (live) {
            if (last || nanos.getAsLong() - drawnAt >= REDRAW_NANOS) {
                draw(latest);
            }
        } else if ((last || status.step() % loggingSteps == 0) && status.step() != shownStep) {
            shownStep = status.step();
            out.println(latest);
            out.flush();
            latestIsShown = true;
        }
    }

    /** Shows a text, at most ten times a second on a terminal and every few seconds elsewhere. */
    public synchronized void show(String text) {
        latest = text;
        latestIsShown = false;
        long now = nanos.getAsLong();
        if (now - drawnAt < (live ? REDRAW_NANOS : LINE_NANOS)) {
            return;
        }
        if (live) {
            draw(text);
        } else {
            out.println(text);
            out.flush();
            drawnAt = now;
            latestIsShown = true;
        }
    }

    /** Prints a permanent line. */
    public synchronized void print(String line) {
        if (live && !shown.isEmpty()) {
            out.print(START);
            out.println(line);
            draw(shown);
        } else {
            out.println(line);
            out.flush();
        }
    }

    private void draw(String line) {
        out.print(START + NO_WRAP + line + WRAP);
        out.flush();
        shown = line;
        drawnAt = nanos.getAsLong();
        latestIsShown = line.equals(latest);
    }

    /** Ends the live line and leaves its last state visible. */
    @Override
    public synchronized void close() {
        if (!latestIsShown) {
            if (live) {
                draw(latest);
            } else {
                out.println(latest);
            }
        }
        if (!shown.isEmpty()) {
            out.println();
            shown = "";
        }
        latestIsShown = true;
        out.flush();
    }
}
