package dev.graft.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ProgressLineTest {
    private static final String CLEAR = "\r\033[K\033[?7l";
    private static final String END = "\033[?7h";

    private final StringWriter text = new StringWriter();
    private final AtomicLong nanos = new AtomicLong();

    private ProgressLine line(boolean live, int loggingSteps) {
        return new ProgressLine(new PrintWriter(text), live, loggingSteps, nanos::get);
    }

    private static RunStatus at(long step) {
        return new RunStatus(step, 25, step / 10.0, 1.23456, 628.4, 3L << 29, Duration.ofSeconds(185));
    }

    @Test
    void aStatusNamesEveryFigure() {
        assertThat(at(20).line()).isEqualTo("step 20/25  loss 1.235  epoch 2.00  628 tokens/s  1.5 GiB  3m05s left");
        assertThat(new RunStatus(1, 9, 0, 12345.6, 0, 0, null).line())
                .isEqualTo("step 1/9  loss 1.235e+04  epoch 0.00  0 B");
    }

    @Test
    void inAPipeALineComesEveryLoggingStepsAndAtTheEnd() {
        try (ProgressLine line = line(false, 10)) {
            for (int step = 1; step <= 25; step++) {
                line.update(at(step));
            }
        }
        assertThat(text.toString().lines().map(l -> l.split("  ")[0]))
                .containsExactly("step 10/25", "step 20/25", "step 25/25");
        assertThat(text.toString()).doesNotContain("\033", "\r");
    }

    @Test
    void aRunThatStopsEarlyLeavesItsLastState() {
        try (ProgressLine line = line(false, 10)) {
            line.update(at(10));
            line.update(at(13));
        }
        assertThat(text.toString().lines().map(l -> l.split("  ")[0])).containsExactly("step 10/25", "step 13/25");
    }

    @Test
    void onATerminalTheLineIsRedrawnAtMostTenTimesASecondAndCutByTheTerminal() {
        ProgressLine line = line(true, 10);
        line.update(at(1));
        nanos.addAndGet(50_000_000);
        line.update(at(2));
        nanos.addAndGet(50_000_000);
        line.update(at(3));

        assertThat(text).hasToString(CLEAR + at(1).line() + END + CLEAR + at(3).line() + END);
    }

    @Test
    void aLineInBetweenStandsAboveTheLiveOne() {
        ProgressLine line = line(true, 10);
        line.print("before");
        line.update(at(1));
        line.print("eval accuracy 0.7");
        line.close();

        assertThat(text)
                .hasToString("before\n" + CLEAR + at(1).line() + END + "\r\033[Keval accuracy 0.7\n" + CLEAR
                        + at(1).line() + END + "\n");
    }

    @Test
    void closingShowsTheStateThatCameTooSoonToBeDrawn() {
        ProgressLine line = line(true, 10);
        line.update(at(1));
        line.update(at(2));
        line.close();
        line.close();

        assertThat(text).hasToString(CLEAR + at(1).line() + END + CLEAR + at(2).line() + END + "\n");
    }

    @Test
    void nothingIsPrintedForARunWithoutSteps() {
        line(true, 10).close();
        line(false, 10).close();

        assertThat(text).hasToString("");
    }
}
