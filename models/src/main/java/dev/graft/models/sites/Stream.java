package dev.graft.models.sites;

/**
 * The residual stream where it enters the first layer: what the embeddings give, {@code [batch, prompt + seq, hidden]}.
 *
 * @param name the path of the model that has the embeddings, empty for a model without a head
 */
public record Stream(String name, int hidden) implements Site {
    /** The stream of a model whose modules have that before their names, for example {@code model.}. */
    public static Stream of(String prefix, int hidden) {
        return new Stream(prefix.isEmpty() ? "" : prefix.substring(0, prefix.length() - 1), hidden);
    }

    @Override
    public int layer() {
        return -1;
    }
}
