package dev.graft.cli.terminal;

import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Shows the progress of a download: {@code download model.safetensors  34 %  28.1 of 82.6 MiB  11.9 MiB/s  5s left}.
 */
public final class DownloadProgressLine implements RunListener.Fetch {
    private final ProgressLine line;
    private final LongSupplier nanos;
    private String step = "";
    private long startedAt;
    private long startedWith;

    public DownloadProgressLine(PrintWriter err, boolean live) {
        this(new ProgressLine(err, live, 1), System::nanoTime);
    }

    DownloadProgressLine(PrintWriter err, LongSupplier nanos) {
        this(new ProgressLine(err, false, 1), nanos);
    }

    private DownloadProgressLine(ProgressLine line, LongSupplier nanos) {
        this.line = line;
        this.nanos = nanos;
    }

    @Override
    public void onProgress(String what, long done, long total) {
        if (!what.equals(step)) {
            step = what;
            startedAt = nanos.getAsLong();
            startedWith = done;
        }
        double seconds = (nanos.getAsLong() - startedAt) / 1e9;
        double rate = seconds > 0.2 ? (done - startedWith) / seconds : 0;
        StringBuilder text = new StringBuilder(what);
        if (total > 0) {
            text.append("  ").append(100 * done / total).append(" %");
        }
        text.append("  ").append(UnitFormat.bytes(done));
        if (total > 0) {
            text.append(" of ").append(UnitFormat.bytes(total));
        }
        if (rate > 0) {
            text.append("  ").append(UnitFormat.bytes((long) rate)).append("/s");
            if (total > done) {
                text.append("  ")
                        .append(UnitFormat.duration(Duration.ofMillis((long) (1000 * (total - done) / rate))))
                        .append(" left");
            }
        }
        line.show(text.toString());
    }

    @Override
    public void close() {
        line.close();
    }
}
