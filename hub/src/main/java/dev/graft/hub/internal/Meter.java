package dev.graft.hub.internal;

import dev.graft.hub.Progress;
import java.util.Collection;

/** Adds up the bytes of several files into one progress. */
final class Meter {
    private final String what;
    private final long total;
    private final Progress progress;
    private long done;

    Meter(String what, Collection<Blob> blobs, Progress progress) {
        this.what = what;
        this.total = blobs.stream().anyMatch(blob -> blob.size() < 0)
                ? -1
                : blobs.stream().mapToLong(Blob::size).sum();
        this.progress = progress;
    }

    void add(long bytes) {
        done += bytes;
        progress.report(what, done, total);
    }
}
