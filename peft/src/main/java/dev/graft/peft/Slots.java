package dev.graft.peft;

import dev.graft.models.matrices.Together;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.inits.Factors;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.RowProducts;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of rows that are read or written together, one row a slot, in place: low-rank updates lie side by side, so that two products
 * add those of all rows, each with its own matrices (as Punica's BGMV, Chen et al., 2023). Adapters that are more than low-rank
 * updates of linear layers act on their row alone. What a row gets doesn't depend on the others. Used by one thread.
 *
 * <pre>{@code
 * slots.put(3, Selection.of(adapter));
 * base.hidden(tokens, Pass.ragged(slots.hooks(), passes));
 * }</pre>
 */
public final class Slots implements AutoCloseable {
    /** Ranks are made up to a power of two from this on, by zeros. */
    private static final int SMALLEST = 8;

    /** As many rows as are in use. */
    private static final int ALL = -1;

    private final List<Selection> selections;

    /** What had no seat in each row when it was last tried. */
    private final @Nullable Selection[] seatless;

    private final int[] ranks;
    private final RowProducts products;
    private final TreeMap<Integer, Bucket> buckets = new TreeMap<>();
    private @Nullable Hooks hooks;
    private int active;

    /** Slots without adapters. */
    public Slots(int count) {
        selections = new ArrayList<>(Collections.nCopies(count, Selection.BASE));
        seatless = new Selection[count];
        ranks = new int[count];
        products = new RowProducts(count);
        active = count;
    }

    /** Says what acts on a row from now on: nothing where this fails. */
    public void put(int row, Selection selection) {
        if (selections.get(row) != selection && !seat(row, selection)) {
            selections.set(row, selection);
            hooks = null;
        }
    }

    /**
     * Gives a row its low-rank updates, or says that nothing acts on it.
     *
     * @return whether that is all that a selection does; else nothing acts on the row until it is {@link #put}
     */
    public boolean seat(int row, Selection selection) {
        if (selections.get(row) == selection || seatless[row] == selection) {
            return seatless[row] != selection;
        }
        hooks = null;
        seatless[row] = null;
        Bucket before = buckets.get(ranks[row]);
        if (before != null) {
            before.clear(row);
        }
        selections.set(row, Selection.BASE);
        ranks[row] = 0;
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Map<Linear, Factors> factors = factors(selection.stack());
            if (factors == null) {
                seatless[row] = selection;
                return false;
            }
            if (!factors.isEmpty()) {
                int rank = rank(factors);
                buckets.computeIfAbsent(rank, r -> new Bucket(r, selections.size()))
                        .put(row, factors);
                ranks[row] = rank;
            }
        }
        selections.set(row, selection);
        return true;
    }

    /** What acts on a row. */
    public Selection at(int row) {
        return selections.get(row);
    }

    private static int rank(Map<Linear, Factors> factors) {
        long largest = factors.values().stream()
                .mapToLong(pair -> pair.a().size(0))
                .max()
                .orElse(0);
        int rank = SMALLEST;
        while (rank < largest) {
            rank *= 2;
        }
        return rank;
    }

    /** All that a stack does, where that is low-rank updates of linear layers; null where it is something else too. */
    private static @Nullable Map<Linear, Factors> factors(List<Selection.Active> stack) {
        Map<Linear, Factors> all = new IdentityHashMap<>();
        for (Selection.Active active : stack) {
            for (Site site : active.adapter().sites()) {
                for (Effect effect : active.effects(site)) {
                    boolean linear =
                            site instanceof Linear && effect instanceof Effect.Delta delta && delta.bias() == null;
                    Factors own = linear ? ((Effect.Delta) effect).factors() : null;
                    if (own == null) {
                        return null;
                    }
                    Factors scaled = new Factors(own.a(), Ops.scale(own.b(), active.strength()));
                    all.merge(
                            (Linear) site,
                            scaled,
                            (one, other) ->
                                    new Factors(Ops.cat(0, one.a(), other.a()), Ops.cat(1, one.b(), other.b())));
                }
            }
        }
        return all;
    }

    /** Says that a row has no text any more. A low-rank adapter stays in its place, in case the next text there has the same. */
    public void leave(int row) {
        if (ranks[row] == 0) {
            put(row, Selection.BASE);
        }
    }

    /** Says that only the first rows have texts. */
    public void use(int rows) {
        active = rows;
    }

    /** What a pass of all rows calls; holds until a row changes. */
    public Hooks hooks() {
        Hooks known = hooks;
        if (known == null) {
            List<List<Selection.Active>> rest = new ArrayList<>();
            for (int row = 0; row < ranks.length; row++) {
                rest.add(ranks[row] > 0 ? List.of() : selections.get(row).stack());
            }
            known = Grafted.apart(rest, Arrays.stream(ranks).anyMatch(rank -> rank > 0) ? new Rows(0, ALL) : null);
            hooks = known;
        }
        return known;
    }

    /** What a pass of some neighbours calls, all of which have their {@link #seat}; holds until one of them changes. */
    public Hooks hooks(int first, int count) {
        boolean low = Arrays.stream(ranks, first, first + count).anyMatch(rank -> rank > 0);
        return Grafted.apart(List.of(), low ? new Rows(first, count) : null);
    }

    /** The low-rank updates of the rows of a pass. */
    final class Rows {
        private final int first;
        private final int most;

        /** @param most how many rows the pass has, or {@link #ALL} */
        private Rows(int first, int most) {
            this.first = first;
            this.most = most;
        }

        boolean actOn(Site site) {
            return buckets.values().stream().anyMatch(bucket -> count(bucket) > 0 && bucket.pairs.containsKey(site));
        }

        /** The updates of the rows, {@code [rows, seq, out]}: what the layer's product is added to. Null for none. */
        @Nullable
        Tensor added(Linear site, Tensor x) {
            return sum(x, (bucket, rows) -> {
                Pair pair = bucket.pairs.get(site);
                return pair == null ? null : products.times(narrow(x, rows, pair.a), own(pair.b));
            });
        }

        /** The updates of layers whose matrices were put together, side by side: the first products are one. Null for none. */
        @Nullable
        Tensor added(Together together, Tensor x) {
            return sum(x, (bucket, rows) -> {
                Joint joint = bucket.joint.get(together);
                if (joint == null) {
                    return null;
                }
                Tensor narrow = narrow(x, rows, joint.a);
                Tensor[] parts = new Tensor[joint.b.length];
                for (int i = 0; i < parts.length; i++) {
                    Tensor b = joint.b[i];
                    parts[i] = b == null
                            ? Tensors.zeros(
                                    narrow.scalar_type(),
                                    rows,
                                    x.size(1),
                                    together.matrices().get(i).rows())
                            : products.times(narrow.narrow(2, (long) i * bucket.rank, bucket.rank), own(b));
                }
                return Ops.cat(2, parts);
            });
        }

        private @Nullable Tensor sum(Tensor x, Update update) {
            Tensor sum = null;
            for (Bucket bucket : buckets.values()) {
                int rows = count(bucket);
                Tensor more = rows == 0 ? null : update.of(bucket, rows);
                sum = more == null ? sum : plus(sum, x, more);
            }
            return sum;
        }

        /** The first products of the first rows of a batch, in the type of matrices. */
        private Tensor narrow(Tensor x, int rows, Tensor matrices) {
            return products.times(Ops.to(Slots.first(rows, x), matrices.scalar_type()), own(matrices));
        }

        /** How many of them there are up to the last that a bucket has something for. */
        private int count(Bucket bucket) {
            int count = most == ALL ? active : most;
            while (count > 0 && !bucket.filled[first + count - 1]) {
                count--;
            }
            return count;
        }

        /** Of the matrices of all slots those from the first row of the pass on. */
        private Tensor own(Tensor matrices) {
            return first == 0 ? matrices : matrices.narrow(0, first, matrices.size(0) - first);
        }
    }

    /** What the adapters of one rank add for the first rows of a pass; null for nothing. */
    private interface Update {
        @Nullable
        Tensor of(Bucket bucket, int rows);
    }

    /** What was added for all rows, and what is added for the first of them. */
    private static Tensor plus(@Nullable Tensor sum, Tensor x, Tensor more) {
        long idle = x.size(0) - more.size(0);
        if (sum != null) {
            first((int) more.size(0), sum).add_(more);
            return sum;
        }
        return idle == 0 ? more : Ops.cat(0, more, Tensors.zeros(more.scalar_type(), idle, more.size(1), more.size(2)));
    }

    private static Tensor first(int rows, Tensor tensor) {
        return rows == tensor.size(0) ? tensor : tensor.narrow(0, 0, rows);
    }

    /**
     * The matrices of one layer.
     *
     * @param a {@code [rows, in, rank]}
     * @param b {@code [rows, rank, out]}
     */
    private record Pair(Tensor a, Tensor b) {}

    /**
     * The matrices of layers whose own were put together.
     *
     * @param a {@code [rows, in, layers · rank]}
     * @param b of each layer, {@code [rows, rank, out]}; null where no adapter acts
     */
    private record Joint(Tensor a, @Nullable Tensor[] b) {}

    /** The rows whose adapters are of one rank. */
    private static final class Bucket implements AutoCloseable {
        private final int rank;
        private final boolean[] filled;
        private final Map<Site, Pair> pairs = new IdentityHashMap<>();
        private final Map<Together, Joint> joint = new IdentityHashMap<>();

        Bucket(int rank, int rows) {
            this.rank = rank;
            this.filled = new boolean[rows];
        }

        void put(int row, Map<Linear, Factors> factors) {
            try {
                factors.forEach((site, own) -> {
                    Pair pair = pairs.computeIfAbsent(site, s -> empty((Linear) s));
                    long r = own.a().size(0);
                    pair.a.select(0, row).narrow(1, 0, r).copy_(own.a().t());
                    pair.b.select(0, row).narrow(0, 0, r).copy_(own.b().t());
                });
            } catch (RuntimeException failure) {
                clear(row);
                throw failure;
            }
            filled[row] = true;
        }

        private Pair empty(Linear site) {
            Tensor b = kept(Tensors.zeros(site.type(), filled.length, rank, site.out()));
            Together together = site.matrix().together();
            if (together == null) {
                return new Pair(narrows(site, rank), b);
            }
            int layers = together.matrices().size();
            Joint all = joint.computeIfAbsent(
                    together, t -> new Joint(narrows(site, (long) layers * rank), new Tensor[layers]));
            int place = together.matrices().indexOf(site.matrix());
            all.b[place] = b;
            return new Pair(kept(all.a.narrow(2, (long) place * rank, rank)), b);
        }

        private Tensor narrows(Linear site, long ranks) {
            return kept(Tensors.zeros(site.type(), filled.length, site.in(), ranks));
        }

        private static Tensor kept(Tensor tensor) {
            tensor.retainReference();
            return tensor;
        }

        void clear(int row) {
            try (Scope scope = new Scope()) {
                for (Pair pair : pairs.values()) {
                    pair.a.select(0, row).fill_(new Scalar(0.0));
                    pair.b.select(0, row).fill_(new Scalar(0.0));
                }
            }
            filled[row] = false;
        }

        @Override
        public void close() {
            for (Pair pair : pairs.values()) {
                pair.a.close();
                pair.b.close();
            }
            joint.values().forEach(all -> all.a.close());
        }
    }

    @Override
    public void close() {
        buckets.values().forEach(Bucket::close);
        buckets.clear();
        products.close();
        hooks = null;
    }
}
