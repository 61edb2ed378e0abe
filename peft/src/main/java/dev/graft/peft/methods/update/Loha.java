package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoHa, low-rank Hadamard product (FedPara: Hyeon-Woo et al., 2021; LyCORIS: Yeh et al., 2023): {@code y = W x + b + s · (A₁ B₁ ⊙ A₂ B₂) x} with
 * {@code A [out, r]}, {@code B [r, in]} and s = alpha / r, so ΔW has a rank of up to r². A₁, B₁ and A₂ start Kaiming-uniform and B₂ at zero, so a
 * new adapter changes nothing.
 *
 * <p>Trained: 2 · r · (in + out) for a layer. Files: {@code <module>.hada_w1_a}, {@code hada_w1_b}, {@code hada_w2_a}, {@code hada_w2_b}. Merges.
 * Use it if LoRA's rank is the limit, but not its size; every call computes ΔW, which costs r · in · out. Not on embeddings. On a convolution B
 * is {@code [r, in / groups · kernel]}; with {@code use_effective_conv2d} A is {@code [r, out]}, B {@code [r, in / groups]}, and a core
 * {@code hada_t1}, {@code hada_t2} {@code [r, r, kernel...]} is between them.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Loha(LycorisConfig.DEFAULT.withR(8).withAlpha(8), true), 42);
 * }</pre>
 *
 * @param startAtZero whether B₂ starts at zero; else it is Kaiming-uniform too
 */
public record Loha(LycorisConfig config, boolean startAtZero) implements Method {
    /** Rank 8, alpha 8, every linear layer but the head. */
    public static final Loha DEFAULT = new Loha(LycorisConfig.DEFAULT, true);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Projection site : g.projections(config.targets(), "LoHa")) {
            Factor first = factor(g, site, "1", Initializer.KAIMING);
            Factor second = factor(g, site, "2", startAtZero ? Initializer.ZEROS : Initializer.KAIMING);
            g.add(site, new Hadamard(config, site, config.scaling(site.name()), first, second));
        }
    }

    private Factor factor(Grafter g, Projection site, String number, Initializer startOfB) {
        int r = config.r().at(site.name());
        boolean core = config.hasCore(site);
        long in = (core ? site.weight() : site.weight().flatten(1, -1)).size(1);
        long[] shape = core ? new long[] {r, site.out()} : new long[] {site.out(), r};
        Tensor a = g.parameter(site, "hada_w" + number + "_a", Initializer.KAIMING, shape);
        Tensor b = g.parameter(site, "hada_w" + number + "_b", startOfB, r, in);
        return new Factor(
                a,
                b,
                core ? g.parameter(site, "hada_t" + number, Initializer.KAIMING, LycorisConfig.core(site, r)) : null);
    }

    /** A low-rank matrix, or kernels of low rank along each of their dimensions. */
    private record Factor(Tensor a, Tensor b, @Nullable Tensor core) {
        Tensor whole() {
            return core == null ? a.matmul(b) : LycorisConfig.kernels(core, a, b);
        }
    }

    private record Hadamard(LycorisConfig config, Projection site, double scaling, Factor first, Factor second)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor y = site.apply(x, Ops.to(weight(), x.scalar_type()), null);
            return config.drop(y, site, pass, true);
        }

        @Override
        public Tensor weight() {
            Tensor product = first.whole().mul(second.whole());
            return Ops.scale(product, scaling).reshape(Tensors.shape(site.weight()));
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
        public Capabilities capabilities() {
            return Capabilities.ALL;
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
        public double rateFactor() {
            return 4;
        }

        @Override
        public List<String> required() {
            return List.of("r", "alpha");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Loha(LycorisConfig.read(config), config.bool("init_weights", true));
        }
    }
}
