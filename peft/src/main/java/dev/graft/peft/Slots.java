package dev.graft.peft;

import dev.graft.models.matrices.Matrix;
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
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of rows that are read or written together, one row a slot: low-rank updates lie side by side in seats, as many as there are rows, so that
 * two products add those of all rows, each with the matrices of its seat (as Punica's BGMV, Chen et al., 2023). Rows with the same adapter share a seat, and an
 * adapter keeps its seat until another one needs it. Adapters that are more than low-rank
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

    private static final int NO_SEAT = RowProducts.NONE;

    private final List<Selection> selections;

    /** Each row's, or {@link #NO_SEAT}. */
    private final int[] seatOf;

    private final List<Seat> seats;

    /** What had no seat in each row when it was last tried. */
    private final @Nullable Selection[] seatless;

    private final RowProducts products;
    private final TreeMap<Integer, Bucket> buckets = new TreeMap<>();
    private @Nullable Hooks hooks;
    private int active;
    private long clock;

    /** Room for the low-rank updates of one selection. */
    private static final class Seat {
        /** What it was given, or null for nothing. */
        private @Nullable Selection selection;

        private int rank;

        /** When a row last took it, by {@link #clock}. */
        private long taken;
    }

    /** Slots without adapters. */
    public Slots(int count) {
        selections = new ArrayList<>(Collections.nCopies(count, Selection.BASE));
        seatless = new Selection[count];
        seatOf = new int[count];
        seats = Stream.generate(Seat::new).limit(count).toList();
        products = new RowProducts(count);
        active = count;
        for (int row = 0; row < count; row++) {
            sit(row, NO_SEAT);
        }
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
        selections.set(row, Selection.BASE);
        sit(row, NO_SEAT);
        int seat = known(selection);
        if (seat == NO_SEAT) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                Map<Linear, Factors> factors = factors(selection.stack());
                seatless[row] = factors == null ? selection : null;
                if (factors != null && !factors.isEmpty()) {
                    seat = free(row);
                    give(seat, selection, factors);
                }
            }
        }
        if (seatless[row] == null) {
            selections.set(row, selection);
            sit(row, seat);
        }
        return seatless[row] == null;
    }

    private void sit(int row, int seat) {
        seatOf[row] = seat;
        products.assign(row, seat);
        if (seat != NO_SEAT) {
            seats.get(seat).taken = ++clock;
        }
    }

    /** The seat that was given that selection. */
    private int known(Selection selection) {
        for (int seat = 0; seat < seatOf.length; seat++) {
            if (seats.get(seat).selection == selection) {
                return seat;
            }
        }
        return NO_SEAT;
    }

    /** The seat that no row has had for the longest time; that of the row's number where some were never taken. There are as many as rows, so there is one. */
    private int free(int row) {
        return IntStream.range(0, seatOf.length)
                .map(i -> (row + i) % seatOf.length)
                .filter(seat -> Arrays.stream(seatOf).noneMatch(taken -> taken == seat))
                .boxed()
                .min(Comparator.comparingLong(seat -> seats.get(seat).taken))
                .orElseThrow();
    }

    /** Nothing is in the seat where this fails. */
    private void give(int place, Selection selection, Map<Linear, Factors> factors) {
        Seat seat = seats.get(place);
        Bucket before = buckets.get(seat.rank);
        seat.selection = null;
        seat.rank = rank(factors);
        Bucket next = buckets.computeIfAbsent(seat.rank, rank -> new Bucket(rank, seatOf.length));
        try {
            next.put(place, factors);
        } finally {
            if (before != null && before != next) {
                before.clear(place);
            }
        }
        seat.selection = selection;
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
                    Factors scaled =
                            active.strength() == 1 ? own : new Factors(own.a(), Ops.scale(own.b(), active.strength()));
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

    /** Says that a row has no text any more. A low-rank adapter keeps its seat, in case another text has the same. */
    public void leave(int row) {
        put(row, Selection.BASE);
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
            for (int row = 0; row < seatOf.length; row++) {
                rest.add(
                        seatOf[row] != NO_SEAT ? List.of() : selections.get(row).stack());
            }
            known = Grafted.apart(rest, areSeated(0, seatOf.length) ? new Rows(0, ALL) : null);
            hooks = known;
        }
        return known;
    }

    /** What a pass of some neighbours calls, all of which have their {@link #seat}; holds until one of them changes. */
    public Hooks hooks(int first, int count) {
        return Grafted.apart(List.of(), areSeated(first, count) ? new Rows(first, count) : null);
    }

    private boolean areSeated(int first, int count) {
        return Arrays.stream(seatOf, first, first + count).anyMatch(seat -> seat != NO_SEAT);
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
            return buckets.values().stream().anyMatch(bucket -> count(bucket) > 0 && bucket.of.containsKey(site));
        }

        /** The updates of the rows, {@code [rows, seq, out]}: what the layer's product is added to. Null for none. */
        @Nullable
        Tensor added(Linear site, Tensor x) {
            return sum(x, (bucket, part) -> {
                RowUpdates updates = bucket.of.get(site);
                return updates == null ? null : updates.times(part, first, site.matrix());
            });
        }

        /** The updates of layers whose matrices were put together, side by side. Null for none. */
        @Nullable
        Tensor added(Together together, Tensor x) {
            return sum(x, (bucket, part) -> {
                RowUpdates updates = bucket.joint.get(together);
                return updates == null ? null : updates.times(part, first);
            });
        }

        private @Nullable Tensor sum(Tensor x, Update update) {
            Tensor sum = null;
            for (Bucket bucket : buckets.values()) {
                int rows = count(bucket);
                Tensor more = rows == 0 ? null : update.of(bucket, Slots.first(rows, x));
                sum = more == null ? sum : plus(sum, x, more);
            }
            return sum;
        }

        /** How many of them there are up to the last that a bucket has something for. */
        private int count(Bucket bucket) {
            int count = most == ALL ? active : most;
            while (count > 0 && !bucket.isOf(seatOf[first + count - 1])) {
                count--;
            }
            return count;
        }
    }

    /** What the adapters of one rank add for the first rows of a pass, x {@code [rows, seq, in]}; null for nothing. */
    private interface Update {
        @Nullable
        Tensor of(Bucket bucket, Tensor x);
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

    /** The seats whose adapters are of one rank. */
    private final class Bucket implements AutoCloseable {
        private final int rank;
        private final boolean[] filled;
        private final Map<Site, RowUpdates> of = new IdentityHashMap<>();
        private final Map<Together, RowUpdates> joint = new IdentityHashMap<>();

        Bucket(int rank, int seats) {
            this.rank = rank;
            this.filled = new boolean[seats];
        }

        boolean isOf(int seat) {
            return seat != NO_SEAT && filled[seat];
        }

        void put(int seat, Map<Linear, Factors> factors) {
            try {
                Map<RowUpdates, Map<Matrix, Factors>> given = new IdentityHashMap<>();
                factors.forEach((site, own) -> given.computeIfAbsent(updates(site), updates -> new IdentityHashMap<>())
                        .put(site.matrix(), own));
                for (RowUpdates updates : all()) {
                    Map<Matrix, Factors> own = given.get(updates);
                    if (own != null) {
                        updates.put(seat, own);
                    } else if (filled[seat]) {
                        updates.clear(seat);
                    }
                }
            } catch (RuntimeException failure) {
                clear(seat);
                throw failure;
            }
            filled[seat] = true;
        }

        private RowUpdates updates(Linear site) {
            Together together = site.matrix().together();
            return of.computeIfAbsent(
                    site,
                    s -> together == null
                            ? new RowUpdates(products, List.of(site.matrix()), filled.length, rank)
                            : joint.computeIfAbsent(
                                    together, t -> new RowUpdates(products, t.matrices(), filled.length, rank)));
        }

        /** Those of each layer or of layers together, once. */
        private Set<RowUpdates> all() {
            Set<RowUpdates> all = Collections.newSetFromMap(new IdentityHashMap<>());
            all.addAll(of.values());
            return all;
        }

        void clear(int seat) {
            try (Scope scope = new Scope()) {
                all().forEach(updates -> updates.clear(seat));
            }
            filled[seat] = false;
        }

        @Override
        public void close() {
            all().forEach(RowUpdates::close);
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
