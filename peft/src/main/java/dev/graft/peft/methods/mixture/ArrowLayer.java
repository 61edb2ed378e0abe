package dev.graft.peft.methods.mixture;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.inits.Svd;
import dev.graft.peft.methods.lora.LowRank;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.TorchRng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Arrow's experts at one layer.
 *
 * @param directions vᵢ, {@code [experts, in]}
 * @param down the experts' stacked A, {@code [Σ r, in]}
 * @param up the experts' s B side by side, {@code [out, Σ r]}
 * @param owners the expert of each of the Σ r rows, int32
 */
record ArrowLayer(Tensor directions, Tensor down, Tensor up, Tensor owners, ArrowConfig config)
        implements Effect.Delta {
    private static final int STEPS = 15;

    static ArrowLayer of(Grafter g, Linear site, ArrowConfig config, List<LowRank> experts, List<LowRank> general) {
        List<LowRank> updates = general.isEmpty() ? experts : special(site, experts, general);
        long rank = updates.stream().mapToLong(update -> update.a().size(0)).sum();
        long[] owners = new long[Math.toIntExact(rank)];
        int row = 0;
        for (int i = 0; i < updates.size(); i++) {
            int next = row + Math.toIntExact(updates.get(i).a().size(0));
            Arrays.fill(owners, row, next, i);
            row = next;
        }
        String at = site.name() + ".arrow_";
        return new ArrowLayer(
                g.buffer(
                        at + "directions",
                        false,
                        (rng, shape) -> each(
                                0,
                                updates,
                                update -> direction(update, config.seed()).unsqueeze(0)),
                        updates.size(),
                        site.in()),
                g.buffer(at + "A", false, (rng, shape) -> each(0, updates, LowRank::a), rank, site.in()),
                g.buffer(
                        at + "B",
                        false,
                        (rng, shape) -> each(1, updates, update -> Ops.scale(update.b(), update.scaling())),
                        site.out(),
                        rank),
                g.indices(
                        site, "arrow_owners", Storage.CHECKPOINT_ONLY, (rng, shape) -> Tensors.of(owners, shape), rank),
                config);
    }

    private static Tensor each(long dim, List<LowRank> updates, Function<LowRank, Tensor> part) {
        return Ops.cat(
                dim, updates.stream().map(update -> part.apply(update).detach()).toArray(Tensor[]::new));
    }

    /** The experts less the mean A and the mean B of general ones. */
    private static List<LowRank> special(Linear site, List<LowRank> experts, List<LowRank> general) {
        List<LowRank> all = new ArrayList<>(experts);
        all.addAll(general);
        long rank = all.get(0).a().size(0);
        if (all.stream().anyMatch(update -> update.a().size(0) != rank)) {
            throw new InputException("the adapters have other ranks at " + site.name()
                    + "; a mean of general ones can only be taken off adapters of the same rank");
        }
        Tensor a = mean(general, LowRank::a);
        Tensor b = mean(general, LowRank::b);
        return experts.stream()
                .map(update -> update.withA(update.a().sub(a)).withB(update.b().sub(b)))
                .toList();
    }

    private static Tensor mean(List<LowRank> updates, Function<LowRank, Tensor> part) {
        Tensor sum = part.apply(updates.get(0));
        for (LowRank update : updates.subList(1, updates.size())) {
            sum = sum.add(part.apply(update));
        }
        return Ops.scale(sum, 1.0 / updates.size());
    }

    /** The first right singular vector of B A, {@code [in]}; zeros where the update is. */
    private static Tensor direction(LowRank update, @Nullable Integer seed) {
        Tensor a = update.a();
        Tensor b = update.b();
        if (seed != null) {
            return iterated(Ops.to(a, ScalarType.Float), Ops.to(b, ScalarType.Float), seed);
        }
        Svd svd = Svd.of(new Factors(Ops.to(a, ScalarType.Double), Ops.to(b, ScalarType.Double)));
        Tensor first = svd.v().select(0, 0);
        return Ops.to(Tensors.item(svd.s().select(0, 0)) > 0 ? first : first.mul(new Scalar(0.0)), a.scalar_type());
    }

    /** PEFT's power iteration. */
    private static Tensor iterated(Tensor a, Tensor b, int seed) {
        Tensor c = b.t().matmul(b);
        Tensor v = normalised(new TorchRng(seed).normal(0, 1, a.size(1)));
        for (int step = 0; step < STEPS; step++) {
            v = normalised(a.t().matmul(c.matmul(a.matmul(v))));
        }
        return v;
    }

    private static Tensor normalised(Tensor v) {
        return v.div(Ops.plus(v.norm(), 1e-8));
    }

    /** Applies the layer to x {@code [..., in]}. */
    @Override
    public Tensor apply(Tensor x, PassView pass) {
        Tensor seen = Ops.to(x, down.scalar_type());
        Tensor likeness = Ops.linear(seen, directions, null).abs();
        T_TensorTensor_T largest = torch.topk(likeness, config.topK());
        Tensor shares = Ops.scale(largest.get0(), 1 / config.temperature()).softmax(-1);
        Tensor own = torch.zeros_like(likeness).scatter(-1, largest.get1(), shares);
        Tensor narrow = Ops.linear(seen, down, null).mul(own.index_select(-1, owners));
        return Ops.to(Ops.linear(narrow, up, null), x.scalar_type());
    }

    @Override
    public @Nullable Tensor weight() {
        return null;
    }
}
