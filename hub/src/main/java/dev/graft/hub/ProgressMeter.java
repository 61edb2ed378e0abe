package dev.graft.hub;

import java.util.Collection;

/** Sums the bytes of several files into one progress. */
final class ProgressMeter {
    private final String what;
    private final long total;
    private final DownloadProgress progress;
    private long done;

    ProgressMeter(String what, Collection<Blob> blobs, DownloadProgress progress) {
        this.what = what;
        this.total = blobs.stream().anyMatch(blob -> blob.size() < 0)
                ? -1
                : blobs.stream().mapToLong(Blob::size).sum();
        this.progress = progress;
    }

    void add(long bytes) {
        done += bytes;
        progress.onProgress(what, done, total);
    }
}
