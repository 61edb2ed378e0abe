package dev.graft.peft;

import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.ReducedShape;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntPredicate;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A smaller network of the base's family that is trained beside it.
 *
 * @param shared the base's token embeddings, if the network has none of its own
 * @param parameters the parameters by their names in the network
 */
public record SideNetwork(Backbone backbone, @Nullable Embedding shared, Map<String, Tensor> parameters) {
    /** The one table that transformers' class drops where the base's replaces it. */
    private static final String LEFT_OUT = "embed_tokens.weight";

    /** The prefix of OPT's module names, which belongs to its decoder alone. */
    private static final String DECODER = "decoder.";

    /**
     * Declares the parameters of a network, initialised as those of a new model: matrices normal, norms without effect.
     *
     * @param before the prefix of their names in the adapter
     * @param shares whether it reads the base's token embeddings, whose size the shape must then have
     * @param trained declares a trained parameter
     * @param unused declares a parameter that no output depends on
     */
    public static SideNetwork of(
            Base base,
            String before,
            ReducedShape shape,
            boolean shares,
            ParameterDeclaration trained,
            ParameterDeclaration unused) {
        Embedding table = shares ? inputEmbedding(base) : null;
        String name = table == null ? "" : table.name().substring(base.prefix().length()) + ".weight";
        double deviation = base.config().number("initializer_range", 0.02);
        boolean plusOne = base.sites().stream()
                .anyMatch(site -> site instanceof Norm norm && norm.kind() == Norm.Kind.RMS_PLUS_ONE);
        Map<String, Tensor> parameters = new HashMap<>();
        Backbone backbone = shape.build(base, (key, size) -> {
            String own = before + (key.startsWith(DECODER) ? key.substring(DECODER.length()) : key);
            Initializer initializer = size.length > 1
                    ? Initializer.normal(deviation)
                    : key.endsWith(".bias") || plusOne ? Initializer.ZEROS : Initializer.ONES;
            if (table == null || !key.equals(name)) {
                Tensor parameter = trained.of(own, initializer, size);
                parameters.put(key, parameter);
                return parameter;
            }
            if (!key.endsWith(LEFT_OUT)) {
                unused.of(own, initializer, size);
            }
            return table.weight();
        });
        return new SideNetwork(backbone, table, Map.copyOf(parameters));
    }

    private static Embedding inputEmbedding(Base base) {
        for (Site site : base.sites()) {
            if (site instanceof Embedding table && table.input()) {
                return table;
            }
        }
        throw new IllegalArgumentException(base.name() + " reads no tokens");
    }

    /**
     * Returns its last hidden states for the inputs of a pass, {@code [batch, seq, hidden]}; gradients reach its parameters.
     */
    Tensor forward(Inputs in, ForwardPass pass, IntPredicate rows) {
        return backbone.forward(in, pass.companion(backbone, new NetworkHooks(this, pass), rows))
                .last();
    }

    /** The network as it is, nothing of which is frozen. */
    private record NetworkHooks(SideNetwork sideNetwork, ForwardPass main) implements Hooks {
        @Override
        public boolean isFrozen(Site site) {
            return false;
        }

        @Override
        public Tensor embedding(Embedding site, Tensor ids, PassView pass) {
            return sideNetwork.shared != null && site.input()
                    ? main.hooks().embedding(sideNetwork.shared, ids, main)
                    : site.apply(ids, pass);
        }

        /** A view of a parameter wouldn't follow it to where an optimiser keeps all of them. */
        @Override
        public Tensor linear(Linear site, Tensor x, PassView pass) {
            Tensor weight = sideNetwork.parameters.get(site.name() + ".weight");
            return weight == null || !site.transposed()
                    ? site.apply(x, pass)
                    : site.apply(x, site.stored(weight), site.bias());
        }
    }
}
