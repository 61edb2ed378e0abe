package dev.graft.models.sites;

/**
 * The residual stream where it enters the first layer: what the embeddings give, {@code [batch, prompt + seq, hidden]}.
 *
 * @param name the path of the model that has the embeddings, empty for a model without a head
 */
public record Stream(String name, int hidden) implements Site {
    @Override
    public int layer() {
        return -1;
    }
}
