package dev.graft.serve.engine;

import dev.graft.models.Base;
import dev.graft.models.matrices.FusedMatrix;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.BatchedLowRankProduct;
import dev.graft.tensor.ops.LowRankFactors;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * Tests whether matrix products are bit-identical for a text whatever other texts share the pass, and on any number of cores. It tries
 * random numbers for every shape of a base's matrices, since oneDNN may split the sum of a product among cores for few rows, but not for
 * many.
 */
final class BatchInvariance {
    /** The rank of an update. */
    private static final int RANK = 16;

    private BatchInvariance() {}

    /** A trial with a product of a layer. */
    private interface Trial {
        boolean passes(UnaryOperator<Tensor> product, Linear layer);
    }

    /**
     * Returns whether texts in one pass get the same bits as each gets alone.
     *
     * @param fewest tokens of a text
     * @param most tokens of a text
     * @param texts the most in a pass
     */
    static boolean holds(Base base, int fewest, int most, int texts) {
        return allLayers(
                        base,
                        (product, layer) ->
                                areSame(product, layer, fewest, texts) && areSame(product, layer, most, texts))
                && isHeadSame(base, texts);
    }

    /** Returns whether the logits of a token are the same beside those of others. */
    private static boolean isHeadSame(Base base, int most) {
        Linear head = base.head().output();
        if (head == null) {
            return true;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = Ops.to(Rng.of(1, head.name()).uniform(-1, 1, most, 1, head.in()), head.type());
            Tensor last = head.matrix().times(x.narrow(0, most - 1, 1), head.bias(), null);
            return IntStream.range(0, most - 1).allMatch(first -> {
                Tensor all = head.matrix().times(x.narrow(0, first, most - first), head.bias(), null);
                return all.narrow(0, most - first - 1, 1).equal(last);
            });
        }
    }

    /**
     * Returns whether a text gets the same bits on one core and on all. Restores the number of threads.
     *
     * @param lengths of texts, in tokens
     */
    static boolean holdsOnAnyCores(Base base, int... lengths) {
        int threads = Natives.threads();
        try {
            return allLayers(
                    base,
                    (product, layer) -> Arrays.stream(lengths)
                            .allMatch(tokens -> isSameOnOneCore(product, layer, tokens, threads)));
        } finally {
            Natives.threads(threads);
        }
    }

    private static boolean isSameOnOneCore(UnaryOperator<Tensor> product, Linear layer, int tokens, int threads) {
        try (Scope scope = new Scope()) {
            Rng rng = Rng.of(1, layer.name());
            Tensor x = Ops.to(rng.uniform(-1, 1, 1, tokens, layer.in()), layer.type());
            try (BatchedLowRankProduct updates = updates(rng, layer, 1)) {
                Natives.threads(1);
                Tensor one = product.apply(x);
                Tensor update = updates.times(x, 0);
                Natives.threads(threads);
                return product.apply(x).equal(one) && updates.times(x, 0).equal(update);
            }
        }
    }

    private static boolean allLayers(Base base, Trial trial) {
        Set<List<Long>> tried = new HashSet<>();
        try (NoGrad noGrad = new NoGrad()) {
            for (Site site : base.sites()) {
                if (!(site instanceof Linear layer) || layer.layer() < 0) {
                    continue;
                }
                FusedMatrix fused = FusedMatrix.of(layer.matrix());
                long out = fused == null ? layer.out() : fused.rows();
                UnaryOperator<Tensor> product =
                        fused == null ? x -> layer.matrix().times(x, layer.bias(), null) : x -> fused.times(x, null)[0];
                if (tried.add(List.of(layer.in(), out)) && !trial.passes(product, layer)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean areSame(UnaryOperator<Tensor> product, Linear layer, int tokens, int texts) {
        try (Scope scope = new Scope()) {
            Rng rng = Rng.of(1, layer.name());
            Tensor x = Ops.to(rng.uniform(-1, 1, texts, tokens, layer.in()), layer.type());
            try (BatchedLowRankProduct updates = updates(rng, layer, texts)) {
                Tensor all = product.apply(x);
                Tensor added = updates.times(x, 0);
                for (int text = 0; text < texts; text++) {
                    Tensor own = x.narrow(0, text, 1);
                    if (!product.apply(own).equal(all.narrow(0, text, 1))
                            || !updates.times(own, text).equal(added.narrow(0, text, 1))) {
                        return false;
                    }
                }
                return true;
            }
        }
    }

    /** Returns the product for that many texts, each with its own factors. */
    private static BatchedLowRankProduct updates(Rng rng, Linear layer, int texts) {
        BatchedLowRankProduct updates =
                new BatchedLowRankProduct(layer.type(), texts, layer.in(), List.of(layer.out()));
        for (int text = 0; text < texts; text++) {
            Tensor a = Ops.to(rng.uniform(-1, 1, RANK, layer.in()), layer.type());
            Tensor b = Ops.to(rng.uniform(-1, 1, layer.out(), RANK), layer.type());
            updates.put(text, 0, new LowRankFactors(a, b, 1));
        }
        return updates;
    }
}
