package dev.graft.cli.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class DownloadLineTest {
    private final StringWriter err = new StringWriter();
    private long now;

    @Test
    void showsRateAndRemainingTime() {
        try (DownloadLine line = new DownloadLine(new PrintWriter(err), () -> now)) {
            line.report("download model.safetensors", 0, 100 << 20);
            now = 10_000_000_000L;
            line.report("download model.safetensors", 40 << 20, 100 << 20);
        }
        assertThat(err).hasToString("download model.safetensors  40 %  40.0 MiB of 100.0 MiB  4.0 MiB/s  15s left\n");
    }

    @Test
    void aStepOfUnknownSizeHasNoPercentage() {
        try (DownloadLine line = new DownloadLine(new PrintWriter(err), () -> now)) {
            line.report("pip download", 3 << 20, -1);
        }
        assertThat(err).hasToString("pip download  3.0 MiB\n");
    }

    @Test
    void saysNothingWhereNothingIsFetched() {
        new DownloadLine(new PrintWriter(err), () -> now).close();
        assertThat(err).hasToString("");
    }
}
