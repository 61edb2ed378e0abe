package dev.graft.hub;

/** Told about a fetch as it goes; called from the fetching thread, several times a second. */
@FunctionalInterface
public interface Progress {
    /** Says nothing. */
    Progress SILENT = (what, done, total) -> {};

    /**
     * Some bytes of a step are done.
     *
     * @param what the step, such as {@code download model.safetensors}
     * @param done bytes done of this step
     * @param total bytes of the whole step, or -1 where the client does not say
     */
    void report(String what, long done, long total);
}
