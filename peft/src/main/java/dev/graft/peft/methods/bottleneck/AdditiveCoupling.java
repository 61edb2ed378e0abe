package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * An additive coupling (NICE, Dinh et al., 2015) after the embeddings. With the halves a and b of each hidden state, {@code a' = a + F(b)},
 * {@code b' = b + G(a')}, where F and G are {@code W₂ σ(W₁ x + w₁) + w₂} with half / reduction inner values. It is exactly invertible for any F
 * and G.
 *
 * @param reduction the ratio of the half to the inner size of F and G
 */
public record AdditiveCoupling(double reduction) {
    /** Half as many inner values. */
    public static final AdditiveCoupling DEFAULT = new AdditiveCoupling(2);

    public AdditiveCoupling {
        if (!(reduction > 0 && Double.isFinite(reduction))) {
            throw new InputException("inv_adapter_reduction_factor is " + reduction + ", expected a number above 0");
        }
    }

    void graft(Grafter g, String activation) {
        for (Site site : g.base().sites()) {
            if (site instanceof Stream stream) {
                String at = (stream.name().isEmpty() ? "" : stream.name() + ".") + "invertible_adapters.*.";
                long first = stream.hidden() / 2;
                long second = stream.hidden() - first;
                Activation sigma = AdapterHubFields.activation(activation);
                g.add(
                        stream,
                        new CouplingLayer(
                                first,
                                net(g, at + "F.", second, first, sigma),
                                net(g, at + "G.", first, second, sigma)));
            }
        }
    }

    private Net net(Grafter g, String at, long in, long out, Activation activation) {
        long inside = BottleneckWidth.of(in, reduction);
        if (inside < 1) {
            throw new InputException("inv_adapter_reduction_factor is " + reduction + ", but there are only " + in
                    + " numbers to reduce");
        }
        Initializer initializer = Initializer.normal(0.02);
        return new Net(
                g.parameter(at + "0.weight", initializer, inside, in),
                g.parameter(at + "0.bias", Initializer.ZEROS, inside),
                g.parameter(at + "2.weight", initializer, out, inside),
                g.parameter(at + "2.bias", Initializer.ZEROS, out),
                activation);
    }

    record Net(Tensor w1, Tensor b1, Tensor w2, Tensor b2, Activation activation) {
        Tensor apply(Tensor x) {
            return Ops.linear(activation.apply(Ops.linear(x, w1, b1)), w2, b2);
        }
    }

    /** The coupling of one adapter. */
    record CouplingLayer(long first, Net f, Net g) implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, PassView pass) {
            Tensor b = hidden.narrow(-1, first, hidden.size(-1) - first);
            Tensor a = hidden.narrow(-1, 0, first).add(f.apply(b));
            return Ops.cat(-1, a, b.add(g.apply(a)));
        }

        @Override
        public Tensor undo(Tensor hidden) {
            Tensor a = hidden.narrow(-1, 0, first);
            Tensor b = hidden.narrow(-1, first, hidden.size(-1) - first).sub(g.apply(a));
            return Ops.cat(-1, a.sub(f.apply(b)), b);
        }
    }

    static @Nullable AdditiveCoupling read(Fields f) {
        JsonNode kind = f.node("inv_adapter");
        Double reduction = f.numberOrNull("inv_adapter_reduction_factor");
        if (kind == null || kind.isNull()) {
            return null;
        }
        // AdapterHub's glow can't run: it joins its halves along the wrong axis.
        f.choice("inv_adapter", "nice", "nice");
        if (reduction == null) {
            throw f.invalid("inv_adapter_reduction_factor", "a number above 0");
        }
        return new AdditiveCoupling(reduction);
    }

    static void write(ObjectNode c, @Nullable AdditiveCoupling coupling) {
        if (coupling == null) {
            c.putNull("inv_adapter");
            c.putNull("inv_adapter_reduction_factor");
        } else {
            c.put("inv_adapter", "nice");
            AdapterHubFields.put(c, "inv_adapter_reduction_factor", coupling.reduction);
        }
    }
}
