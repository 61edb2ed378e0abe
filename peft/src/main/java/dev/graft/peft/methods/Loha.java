package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoHa, low-rank Hadamard product (FedPara: Hyeon-Woo et al., 2021; LyCORIS: Yeh et al., 2023): {@code y = W x + b + s · (A₁ B₁ ⊙ A₂ B₂) x}
 * with {@code A [out, r]}, {@code B [r, in]} and s = alpha / r, so that ΔW has a rank of up to r². A₁, B₁ and A₂ start Kaiming-uniform and
 * B₂ at zero, so a new adapter changes nothing.
 *
 * <p>Trained: 2 · r · (in + out) for a layer. Files: {@code <module>.hada_w1_a}, {@code hada_w1_b}, {@code hada_w2_a}, {@code hada_w2_b}.
 * Merges. Use it where LoRA's rank is the limit and its size is not; every call makes ΔW, which costs r · in · out. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Loha(Lycoris.DEFAULT.withRank(8, 8), true), 42);
 * }</pre>
 *
 * @param startAtZero whether B₂ starts at zero; else it is Kaiming-uniform too
 */
public record Loha(Lycoris config, boolean startAtZero) implements Method {
    /** Rank 8, alpha 8, every linear layer but the head. */
    public static final Loha DEFAULT = new Loha(Lycoris.DEFAULT, true);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(config.targets(), "LoHa")) {
            int r = config.r().at(site.name());
            Tensor a1 = g.parameter(site, "hada_w1_a", Initial.KAIMING, site.out(), r);
            Tensor b1 = g.parameter(site, "hada_w1_b", Initial.KAIMING, r, site.in());
            Tensor a2 = g.parameter(site, "hada_w2_a", Initial.KAIMING, site.out(), r);
            Tensor b2 = g.parameter(site, "hada_w2_b", startAtZero ? Initial.ZEROS : Initial.KAIMING, r, site.in());
            g.add(site, new Hadamard(config, config.scaling(site.name()), a1, b1, a2, b2));
        }
    }

    private record Hadamard(Lycoris config, double scaling, Tensor a1, Tensor b1, Tensor a2, Tensor b2)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, Pass pass) {
            return config.drop(Ops.linear(x, Ops.to(weight(), x.scalar_type()), null), pass, true);
        }

        @Override
        public Tensor weight() {
            return Ops.scale(a1.matmul(b1).mul(a2.matmul(b2)), scaling);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        config.write(json);
        json.put("init_weights", startAtZero);
    }

    /** Registers {@code loha}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "loha";
        }

        @Override
        public String summary() {
            return "adds the product by element of two trained low-rank matrices to frozen weights";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT;
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "LOHA";
        }

        @Override
        public List<String> required() {
            return List.of("r", "alpha");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Loha(Lycoris.read(config), config.bool("init_weights", true));
        }
    }
}
