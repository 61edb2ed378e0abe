package dev.graft.hub;

/** Listens to the progress of a fetch; called from the fetching thread, several times a second. */
@FunctionalInterface
public interface DownloadProgress {
    /** Ignores all progress. */
    DownloadProgress SILENT = (what, done, total) -> {};

    /**
     * Reports the finished bytes of a step.
     *
     * @param what the step, such as {@code download model.safetensors}
     * @param done the bytes of this step that are finished
     * @param total the bytes of the whole step, or -1 if unknown
     */
    void onProgress(String what, long done, long total);
}
