package dev.graft.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class DownloadProgressLineTest {
    private final StringWriter err = new StringWriter();
    private long now;

    @Test
    void showsRateAndRemainingTime() {
        try (DownloadProgressLine line = new DownloadProgressLine(new PrintWriter(err), () -> now)) {
            line.onProgress("download model.safetensors", 0, 100 << 20);
            now = 10_000_000_000L;
            line.onProgress("download model.safetensors", 40 << 20, 100 << 20);
        }
        assertThat(err).hasToString("download model.safetensors  40 %  40.0 MiB of 100.0 MiB  4.0 MiB/s  15s left\n");
    }

    @Test
    void aStepOfUnknownSizeHasNoPercentage() {
        try (DownloadProgressLine line = new DownloadProgressLine(new PrintWriter(err), () -> now)) {
            line.onProgress("pip download", 3 << 20, -1);
        }
        assertThat(err).hasToString("pip download  3.0 MiB\n");
    }

    @Test
    void saysNothingWhereNothingIsFetched() {
        new DownloadProgressLine(new PrintWriter(err), () -> now).close();
        assertThat(err).hasToString("");
    }
}
