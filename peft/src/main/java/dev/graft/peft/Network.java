package dev.graft.peft;

import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Mirror;
import dev.graft.models.Pass;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntPredicate;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A smaller network of the base's family that an adapter trains beside it.
 *
 * @param shared the base's token embeddings, if the network has none of its own to learn
 * @param parameters by their names in the network
 */
public record Network(Backbone backbone, @Nullable Embedding shared, Map<String, Tensor> parameters) {
    /** The only name of a table that transformers' class lets go where the base's is taken in its place. */
    private static final String LEFT_OUT = "embed_tokens.weight";

    /** What OPT has a decoder alone in. */
    private static final String DECODER = "decoder.";

    /**
     * Declares the parameters of a network, which start as those of a new model: matrices normal, norms without effect.
     *
     * @param before what stands before their names in the adapter
     * @param shares whether it reads the base's token embeddings; the shape must have their size then
     */
    public static Network of(Grafter g, String before, Mirror shape, boolean shares) {
        Base base = g.base();
        Embedding table = shares ? table(base) : null;
        String name = table == null ? "" : table.name().substring(base.prefix().length()) + ".weight";
        double deviation = base.config().number("initializer_range", 0.02);
        boolean plusOne = base.sites().stream()
                .anyMatch(site -> site instanceof Norm norm && norm.kind() == Norm.Kind.RMS_PLUS_ONE);
        Map<String, Tensor> parameters = new HashMap<>();
        Backbone backbone = base.mirror(shape, (key, size) -> {
            String own = before + (key.startsWith(DECODER) ? key.substring(DECODER.length()) : key);
            Initial start = size.length > 1
                    ? Initial.normal(deviation)
                    : key.endsWith(".bias") || plusOne ? Initial.ZEROS : Initial.ONES;
            if (table == null || !key.equals(name)) {
                Tensor parameter = g.parameter(own, start, size);
                parameters.put(key, parameter);
                return parameter;
            }
            if (!key.endsWith(LEFT_OUT)) {
                g.idle(own, start, size);
            }
            return table.weight();
        });
        return new Network(backbone, table, Map.copyOf(parameters));
    }

    private static Embedding table(Base base) {
        for (Site site : base.sites()) {
            if (site instanceof Embedding table && table.input()) {
                return table;
            }
        }
        throw new IllegalArgumentException(base.name() + " reads no tokens");
    }

    /** Its last hidden states for what a pass reads, {@code [batch, seq, hidden]}; gradients reach its parameters. */
    Tensor read(Inputs in, Pass pass, IntPredicate rows) {
        return backbone.hidden(in, pass.beside(backbone, new Trained(this, pass), rows))
                .last();
    }

    /** The network as it is, nothing of which is frozen. */
    private record Trained(Network network, Pass main) implements Hooks {
        @Override
        public boolean isFrozen(Site site) {
            return false;
        }

        @Override
        public Tensor embedding(Embedding site, Tensor ids, Pass pass) {
            return network.shared != null && site.input()
                    ? main.hooks().embedding(network.shared, ids, main)
                    : site.apply(ids, pass);
        }

        /** A view of a parameter wouldn't follow it to where an optimiser keeps all of them. */
        @Override
        public Tensor linear(Linear site, Tensor x, Pass pass) {
            Tensor weight = network.parameters.get(site.name() + ".weight");
            return weight == null || !site.transposed()
                    ? site.apply(x, pass)
                    : site.apply(x, site.stored(weight), site.bias());
        }
    }
}
