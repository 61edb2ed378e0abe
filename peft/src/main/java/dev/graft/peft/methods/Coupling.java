package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Activation;
import dev.graft.models.Pass;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * An additive coupling (NICE, Dinh et al., 2015) behind the embeddings: with the halves a and b of each hidden state,
 * {@code a' = a + F(b)}, {@code b' = b + G(a')}, where F and G are {@code W₂ σ(W₁ x + w₁) + w₂}, with half / reduction numbers inside. It
 * can be undone exactly, whatever F and G are.
 *
 * @param reduction how many times smaller F and G are inside
 */
public record Coupling(double reduction) {
    /** Half as large inside. */
    public static final Coupling DEFAULT = new Coupling(2);

    public Coupling {
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
                        new Layer(
                                first,
                                net(g, at + "F.", second, first, sigma),
                                net(g, at + "G.", first, second, sigma)));
            }
        }
    }

    private Net net(Grafter g, String at, long in, long out, Activation activation) {
        long inside = Reduction.of(in, reduction);
        if (inside < 1) {
            throw new InputException("inv_adapter_reduction_factor is " + reduction + ", but there are only " + in
                    + " numbers to reduce");
        }
        Initial start = Initial.normal(0.02);
        return new Net(
                g.parameter(at + "0.weight", start, inside, in),
                g.parameter(at + "0.bias", Initial.ZEROS, inside),
                g.parameter(at + "2.weight", start, out, inside),
                g.parameter(at + "2.bias", Initial.ZEROS, out),
                activation);
    }

    record Net(Tensor w1, Tensor b1, Tensor w2, Tensor b2, Activation activation) {
        Tensor apply(Tensor x) {
            return Ops.linear(activation.apply(Ops.linear(x, w1, b1)), w2, b2);
        }
    }

    /** The coupling of one adapter. */
    record Layer(long first, Net f, Net g) implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, Pass pass) {
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

    static @Nullable Coupling read(Fields f) {
        JsonNode kind = f.node("inv_adapter");
        Double reduction = f.numberOrNull("inv_adapter_reduction_factor");
        if (kind == null || kind.isNull()) {
            return null;
        }
        // AdapterHub's glow can't run: it joins its halves along the wrong axis.
        f.choice("inv_adapter", "nice", "nice");
        if (reduction == null) {
            throw f.wrong("inv_adapter_reduction_factor", "a number above 0");
        }
        return new Coupling(reduction);
    }

    static void write(ObjectNode c, @Nullable Coupling coupling) {
        if (coupling == null) {
            c.putNull("inv_adapter");
            c.putNull("inv_adapter_reduction_factor");
        } else {
            c.put("inv_adapter", "nice");
            BottleneckConfig.put(c, "inv_adapter_reduction_factor", coupling.reduction);
        }
    }
}
