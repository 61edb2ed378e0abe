package dev.graft.hub;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpTimeoutException;
import java.time.Duration;

/**
 * A stream that fails when no data arrives for a while. The HTTP client limits the time until a response starts, but not the time of its body.
 */
final class StallGuard extends FilterInputStream {
    private final long limit;
    private final Thread watch;
    private volatile long lastByte = System.nanoTime();
    private volatile boolean stalled;

    StallGuard(InputStream in, Duration limit) {
        super(in);
        this.limit = limit.toNanos();
        this.watch = new Thread(this::watch, "graft-hub-stall-guard");
        watch.setDaemon(true);
        watch.start();
    }

    private void watch() {
        try {
            while (System.nanoTime() - lastByte < limit) {
                Thread.sleep(Math.max(1, Math.min(250, limit / 4_000_000)));
            }
            stalled = true;
            in.close();
        } catch (InterruptedException | IOException e) {
            // closed in the ordinary way, or closing failed: the reader sees it
        }
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int n;
        try {
            n = super.read(buffer, offset, length);
        } catch (IOException e) {
            throw stalled ? timeout() : e;
        }
        if (n < 0 && stalled) {
            throw timeout();
        }
        lastByte = System.nanoTime();
        return n;
    }

    private HttpTimeoutException timeout() {
        return new HttpTimeoutException("no byte for " + Duration.ofNanos(limit).toMillis() / 1000.0 + " s");
    }

    @Override
    public void close() throws IOException {
        watch.interrupt();
        super.close();
    }
}
