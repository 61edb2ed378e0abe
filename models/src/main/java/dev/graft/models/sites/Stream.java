package dev.graft.models.sites;

/**
 * The residual stream at the entrance of the first layer: the output of the embeddings, {@code [batch, prompt + seq, hidden]}.
 *
 * @param name the path of the model that contains the embeddings, empty for a model without a head
 */
public record Stream(String name, int hidden) implements Site {
    /** Returns the stream of a model whose module names have that prefix, for example {@code model.}. */
    public static Stream of(String prefix, int hidden) {
        return new Stream(prefix.isEmpty() ? "" : prefix.substring(0, prefix.length() - 1), hidden);
    }

    @Override
    public int layer() {
        return -1;
    }
}
