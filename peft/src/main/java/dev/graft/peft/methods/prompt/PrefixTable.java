package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Site;
import dev.graft.peft.BaseMismatchException;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * The keys and values of all attention layers in one tensor {@code P [T, layers · 2 · heads · headDim]}, seen as
 * {@code [T, 2 · layers, heads, headDim]}: layer i has its keys at 2i and its values at 2i + 1; heads are the key/value heads.
 *
 * <p>Of an encoder-decoder they are those of the decoder's own attention. In PEFT layer i then uses 4i and 4i + 1, modulo the number of columns,
 * so with an even number of layers half of P is never used. Graft does the same, since files depend on it.
 */
record PrefixTable(List<Attention> layers) {
    /** Some columns of P. */
    interface Columns {
        Tensor from(long first, long count);
    }

    static PrefixTable of(Base base) {
        return new PrefixTable(layers(base));
    }

    /**
     * Returns the model's own attention layers; for an encoder-decoder, the decoder's own.
     *
     * @throws BaseMismatchException if it has none, or also reads by other layers
     */
    static List<Attention> layers(Base base) {
        if (base.backbone().isRecurrent()) {
            throw new BaseMismatchException(base.name()
                    + " keeps a recurrent state, before which no keys and values can be put; take a method"
                    + " that changes its layers or inputs");
        }
        List<Attention> layers = new ArrayList<>();
        for (Site site : base.sites()) {
            if (site instanceof Attention attention && attention.kind() == Attention.Kind.OWN) {
                layers.add(attention);
            }
        }
        if (layers.isEmpty()) {
            throw new BaseMismatchException(
                    base.name() + " has no attention layers, before whose keys a prefix could be put");
        }
        return List.copyOf(layers);
    }

    int heads() {
        return layers.get(0).heads();
    }

    /** Returns the number of key/value heads times their size. */
    int dim() {
        return heads() * layers.get(0).headDim();
    }

    /** Returns the number of columns of P. */
    long width() {
        return 2L * layers.size() * dim();
    }

    /** Adds each layer's part of P before its keys and values. */
    void add(Grafter g, int tokens, Columns columns) {
        VirtualTokens.check(tokens, g.base());
        for (int i = 0; i < layers.size(); i++) {
            Attention layer = layers.get(i);
            int slice = VirtualTokens.sets(g.base()) == 2 ? 4 * i % (2 * layers.size()) : 2 * i;
            long first = (long) slice * dim();
            g.add(
                    layer,
                    new Effect.Prefix(
                            tokens,
                            pass -> columns.from(first, 2L * dim())
                                    .view(tokens, 2, layer.heads(), layer.headDim())
                                    .transpose(0, 1),
                            true));
        }
    }

    int read(Fields f, Base base) {
        if (VirtualTokens.sets(f, base) != VirtualTokens.sets(base)) {
            throw new BaseMismatchException(
                    f.invalid("num_transformer_submodules", VirtualTokens.sets(base) + ", as " + base.name() + " has"));
        }
        return VirtualTokens.read(f, base, heads(), dim());
    }

    void write(ObjectNode json, int tokens, Base base) {
        VirtualTokens.write(json, tokens, base, heads(), dim());
        json.put("num_transformer_submodules", VirtualTokens.sets(base));
    }
}
