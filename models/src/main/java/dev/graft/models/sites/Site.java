package dev.graft.models.sites;

/** A place in a frozen model where a method can act; named by the module path that Hugging Face gives it. */
public sealed interface Site permits Projection, Experts, Embedding, Norm, Attention, Block, Layer, Stream {
    /** The module path, for example {@code model.layers.0.self_attn.q_proj}. */
    String name();

    /** The index of the transformer layer that it is in, or -1 outside the layers. */
    int layer();
}
