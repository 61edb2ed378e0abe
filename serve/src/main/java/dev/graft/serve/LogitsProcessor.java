package dev.graft.serve;

/**
 * Changes the logits of a text before each token is chosen, for penalties or constrained decoding. Used by one thread.
 */
public interface LogitsProcessor {
    /** Changes the logits of the next token in place, {@code [vocabulary]}. */
    void process(float[] logits);

    /** Called with the chosen token. */
    void onToken(int id);

    /** Chains two processors; the second one sees the logits of the first. */
    static LogitsProcessor chain(LogitsProcessor first, LogitsProcessor second) {
        return new LogitsProcessor() {
            @Override
            public void process(float[] logits) {
                first.process(logits);
                second.process(logits);
            }

            @Override
            public void onToken(int id) {
                first.onToken(id);
                second.onToken(id);
            }
        };
    }
}
