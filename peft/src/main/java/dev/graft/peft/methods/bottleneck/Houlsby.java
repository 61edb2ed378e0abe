package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import tools.jackson.databind.node.ObjectNode;

/**
 * The adapter of Houlsby et al. (2019): after a block with input x from the residual stream and output h,
 * {@code y = LN(x + h + U σ(D h + d) + u)}, D {@code [m, hidden]}, U {@code [hidden, m]}, m = hidden / reduction, behind every attention and
 * feed-forward block; the parameters of all layer norms are trained too. AdapterHub's {@code double_seq_bn} is the same with Swish and the layer
 * norms frozen: {@link #ADAPTER_HUB}.
 *
 * <p>Trained: 2 · hidden · m + m + hidden for each place, and the weights and biases of all layer norms. D and U start normal with deviation 0.01
 * within two deviations, biases at zero: near the identity, not at it. Files: as of {@link Pfeiffer}, and the norms under their names in the
 * base. AdapterHub has no trained norms; the field {@code layer_norms}, absent in its own files, marks them. Doesn't merge. Use it to compare
 * with the paper's figures; {@link Pfeiffer} is half as large and about as good.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Houlsby.DEFAULT.withReduction(12), 42);
 * }</pre>
 *
 * @param layerNorms whether the base's layer norms are trained
 */
public record Houlsby(BottleneckConfig config, boolean layerNorms) implements BottleneckMethod {
    /** The paper's: GELU, hidden / 16, layer norms trained. */
    public static final Houlsby DEFAULT = new Houlsby(
            BottleneckConfig.DEFAULT
                    .withAttention(true)
                    .withActivation("gelu")
                    .withNormed(false)
                    .withInit(Init.HOULSBY),
            true);

    /** AdapterHub's {@code double_seq_bn}: Swish, hidden / 16, layer norms frozen. */
    public static final Houlsby ADAPTER_HUB =
            new Houlsby(DEFAULT.config.withActivation("swish").withInit(Init.BERT), false);

    private static final String NORMS = "layer_norms";

    public Houlsby {
        Form.HOULSBY.require(config);
    }

    public Houlsby withReduction(double factor) {
        return new Houlsby(config.withReduction(factor), layerNorms);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Bottlenecks.graft(g, config);
        if (layerNorms) {
            Bottlenecks.graftNorms(g, config.leaveOut());
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        config.write(c);
        if (layerNorms) {
            c.put(NORMS, true);
        }
    }

    /** Registers {@code houlsby}. */
    public static final class Kind extends BottleneckMethod.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.HOULSBY,
                    "double_seq_bn",
                    "small networks behind attention and feed-forward blocks, with trained layer norms",
                    false,
                    config -> new Houlsby(config, false));
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public Method read(Fields f, Base base) {
            return new Houlsby(BottleneckConfig.read(f), f.bool(NORMS, false));
        }
    }
}
