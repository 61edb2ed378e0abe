package dev.graft.models.sites;

/** A place in a frozen model that a method can adapt, named by its Hugging Face module path. */
public sealed interface Site permits Projection, Experts, Embedding, Norm, Attention, Block, Layer, Stream {
    /** The module path, for example {@code model.layers.0.self_attn.q_proj}. */
    String name();

    /** The index of its transformer layer, or -1 outside the layers. */
    int layer();
}
