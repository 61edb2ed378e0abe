package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.matrices.Together;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.RowUpdates;
import dev.graft.tensor.ScaledFactors;
import dev.graft.tensor.Scope;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * Whether products give a text the same to the last bit in any company and on any number of cores, tried with random numbers for every shape
 * of a base's matrices: oneDNN may share the sum of a product among cores where there are few rows, and not where there are many.
 */
final class SteadyProducts {
    /** The rank of an update. */
    private static final int RANK = 16;

    private SteadyProducts() {}

    /** A trial with a product of a layer. */
    private interface Trial {
        boolean passes(UnaryOperator<Tensor> product, Linear layer);
    }

    /**
     * Whether texts in one pass get what each gets alone.
     *
     * @param fewest tokens of a text
     * @param most tokens of a text
     * @param texts the most in a pass
     */
    static boolean of(Base base, int fewest, int most, int texts) {
        return all(
                        base,
                        (product, layer) ->
                                areSame(product, layer, fewest, texts) && areSame(product, layer, most, texts))
                && isHeadSame(base, texts);
    }

    /** Whether the logits of a token are the same among those of so many others. */
    private static boolean isHeadSame(Base base, int most) {
        Linear head = base.head().output();
        if (head == null) {
            return true;
        }
        try (NoGrad off = new NoGrad();
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
     * Whether a text gets on one core what it gets on all. Leaves as many threads as it finds.
     *
     * @param lengths of texts, in tokens
     */
    static boolean onAnyCores(Base base, int... lengths) {
        int threads = Natives.threads();
        try {
            return all(
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
            try (RowUpdates updates = updates(rng, layer, 1)) {
                Natives.threads(1);
                Tensor one = product.apply(x);
                Tensor update = updates.times(x, 0);
                Natives.threads(threads);
                return product.apply(x).equal(one) && updates.times(x, 0).equal(update);
            }
        }
    }

    private static boolean all(Base base, Trial trial) {
        Set<List<Long>> tried = new HashSet<>();
        try (NoGrad off = new NoGrad()) {
            for (Site site : base.sites()) {
                if (!(site instanceof Linear layer) || layer.layer() < 0) {
                    continue;
                }
                Together together = layer.matrix().together();
                long out = together == null ? layer.out() : together.rows();
                UnaryOperator<Tensor> product = together == null
                        ? x -> layer.matrix().times(x, layer.bias(), null)
                        : x -> together.times(x, null)[0];
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
            try (RowUpdates updates = updates(rng, layer, texts)) {
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

    /** Of as many texts, each with factors of its own. */
    private static RowUpdates updates(Rng rng, Linear layer, int texts) {
        RowUpdates updates = new RowUpdates(layer.type(), texts, layer.in(), List.of(layer.out()));
        for (int text = 0; text < texts; text++) {
            Tensor a = Ops.to(rng.uniform(-1, 1, RANK, layer.in()), layer.type());
            Tensor b = Ops.to(rng.uniform(-1, 1, layer.out(), RANK), layer.type());
            updates.put(text, 0, new ScaledFactors(a, b, 1));
        }
        return updates;
    }
}
