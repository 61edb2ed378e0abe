package dev.graft.models.sites;

import dev.graft.formats.Fields;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen table of token, position or segment embeddings.
 *
 * @param weight {@code [rows, hidden]}
 * @param input whether it is the model's token embedding, which prompts precede
 * @param padding the id whose row is never trained, as {@code padding_idx} of PyTorch; -1 for none
 */
public record Embedding(String name, Tensor weight, boolean input, long padding) implements Site, Affine {
    /** Creates a table without a row for padding. */
    public Embedding(String name, Tensor weight, boolean input) {
        this(name, weight, input, -1);
    }

    /** Reads the {@code pad_token_id} of a config.json; -1 if it names no row. */
    public static int padding(Fields config, int absent) {
        Integer id = config.has("pad_token_id") ? config.integerOrNull("pad_token_id") : Integer.valueOf(absent);
        return id == null || id < 0 || id >= config.integer("vocab_size") ? -1 : id;
    }

    @Override
    public int layer() {
        return -1;
    }

    public long rows() {
        return weight.size(0);
    }

    public long hidden() {
        return weight.size(1);
    }

    @Override
    public @Nullable Tensor bias() {
        return null;
    }

    @Override
    public Tensor apply(Tensor ids, PassView pass) {
        return Ops.embedding(weight, ids, padding);
    }
}
