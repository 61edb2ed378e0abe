package dev.graft.peft;

import dev.graft.models.matrices.Matrix;
import dev.graft.models.matrices.Together;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.RowUpdates;
import dev.graft.tensor.ScaledFactors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of rows that are read or written together, one row a slot. Low-rank updates of linear layers act on all rows at once, on each row those of its adapter, whose
 * factors are read where the adapter holds them ({@link RowUpdates}). Adapters that are more than low-rank
 * updates act on their row alone. What a row gets doesn't depend on the others. An adapter stays open while a row has it. Used by one thread.
 *
 * <pre>{@code
 * slots.put(3, Selection.of(adapter));
 * base.hidden(tokens, Pass.ragged(slots.hooks(), passes));
 * }</pre>
 */
public final class Slots implements AutoCloseable {
    private final List<Selection> selections;

    /** What acts on each row, where that is low-rank updates. */
    private final @Nullable LowRankStack[] stacks;

    /** What was more than that when each row was last given it. */
    private final @Nullable Selection[] others;

    private final Map<Site, RowUpdates> of = new IdentityHashMap<>();
    private final Map<Together, RowUpdates> joint = new IdentityHashMap<>();
    private @Nullable Hooks hooks;

    /** Slots without adapters. */
    public Slots(int count) {
        selections = new ArrayList<>(Collections.nCopies(count, Selection.BASE));
        stacks = new LowRankStack[count];
        others = new Selection[count];
    }

    /** Says what acts on a row from now on: nothing where this fails. */
    public void put(int row, Selection selection) {
        if (selections.get(row) != selection && !putUpdates(row, selection)) {
            selections.set(row, selection);
            hooks = null;
        }
    }

    /**
     * The same for what is low-rank updates, or nothing at all.
     *
     * @return whether the selection is; else nothing acts on the row until it is {@link #put}
     */
    public boolean putUpdates(int row, Selection selection) {
        if (selections.get(row) == selection || others[row] == selection) {
            return others[row] != selection;
        }
        leave(row);
        others[row] = null;
        int same = selections.indexOf(selection);
        LowRankStack known = same < 0 ? null : stacks[same];
        LowRankStack stack = known == null ? selection.lowRank() : known;
        if (stack == null) {
            others[row] = selection;
            return false;
        }
        stacks[row] = stack.factors().isEmpty() ? null : stack;
        try {
            stack.factors().forEach((site, factors) -> put(row, site, factors));
        } catch (RuntimeException failure) {
            leave(row);
            throw failure;
        }
        selections.set(row, selection);
        return true;
    }

    private void put(int row, Linear site, @Nullable ScaledFactors factors) {
        updates(site).put(row, layers(site).indexOf(site.matrix()), factors);
    }

    /** The matrices of the layers that are given the same input. */
    private static List<Matrix> layers(Linear site) {
        Together together = site.matrix().together();
        return together == null ? List.of(site.matrix()) : together.matrices();
    }

    private RowUpdates updates(Linear site) {
        RowUpdates known = of.get(site);
        if (known == null) {
            Together together = site.matrix().together();
            known = together == null ? fresh(site) : joint.computeIfAbsent(together, layers -> fresh(site));
            of.put(site, known);
        }
        return known;
    }

    private RowUpdates fresh(Linear site) {
        List<Long> outs = layers(site).stream().map(Matrix::rows).toList();
        return new RowUpdates(site.type(), stacks.length, site.matrix().columns(), outs);
    }

    /** What acts on a row. */
    public Selection at(int row) {
        return selections.get(row);
    }

    /** Says that a row has no text any more. */
    public void leave(int row) {
        hooks = null;
        selections.set(row, Selection.BASE);
        LowRankStack stack = stacks[row];
        if (stack != null) {
            stacks[row] = null;
            stack.factors().keySet().forEach(site -> put(row, site, null));
            if (Arrays.stream(stacks).noneMatch(other -> other == stack)) {
                stack.close();
            }
        }
    }

    /** What a pass of all rows calls, or of the first ones; holds until a row changes. */
    public Hooks hooks() {
        Hooks known = hooks;
        if (known == null) {
            List<List<Selection.Active>> rest = IntStream.range(0, stacks.length)
                    .mapToObj(row -> stacks[row] != null
                            ? List.<Selection.Active>of()
                            : selections.get(row).stack())
                    .toList();
            known = Grafted.apart(rest, rows(0, stacks.length, null));
            hooks = known;
        }
        return known;
    }

    /** What a pass of some neighbours calls, all of which have {@linkplain #putUpdates updates}; holds until one of them changes. */
    public Hooks hooks(int first, int count) {
        return Grafted.apart(List.of(), rows(first, count, null));
    }

    /**
     * What a pass calls whose only row has the texts of the first rows one after another, and padding behind them; all of them have {@linkplain #putUpdates updates}; holds until one of
     * them changes.
     *
     * @param lengths tokens of each text
     */
    public Hooks hooks(int[] lengths) {
        return Grafted.apart(List.of(), rows(0, lengths.length, lengths.clone()));
    }

    private @Nullable Rows rows(int first, int count, int @Nullable [] lengths) {
        boolean some = Arrays.stream(stacks, first, first + count).anyMatch(Objects::nonNull);
        return some ? new Rows(first, count, lengths) : null;
    }

    /** The low-rank updates of the rows of a pass. */
    final class Rows {
        private final int first;
        private final int count;
        private final int @Nullable [] lengths;

        /** @param lengths of texts that stand in one row, or null where each has its own */
        private Rows(int first, int count, int @Nullable [] lengths) {
            this.first = first;
            this.count = count;
            this.lengths = lengths;
        }

        /** On which rows they act, with what their loops depend on. */
        record Acting(int first, int count, Map<RowUpdates, Long> updates) {}

        /** Null where texts stand in one row. */
        @Nullable
        Acting acting() {
            if (lengths != null) {
                return null;
            }
            Map<RowUpdates, Long> acting = new HashMap<>();
            for (RowUpdates updates : of.values()) {
                if (updates.actOn(first, count)) {
                    acting.put(updates, updates.most());
                }
            }
            return new Acting(first, count, acting);
        }

        boolean actOn(Site site) {
            RowUpdates updates = of.get(site);
            return updates != null && updates.actOn(first, count);
        }

        /** The updates of the rows, {@code [rows, seq, out]}: what the layer's product is added to. Null for none. */
        @Nullable
        Tensor added(Linear site, Tensor x) {
            Tensor all = added(of.get(site), x);
            if (all == null || all.size(2) == site.out()) {
                return all;
            }
            List<Matrix> layers = layers(site);
            int place = layers.indexOf(site.matrix());
            long start =
                    layers.subList(0, place).stream().mapToLong(Matrix::rows).sum();
            return all.narrow(2, start, site.out());
        }

        /** The updates of layers whose matrices were put together, side by side. Null for none. */
        @Nullable
        Tensor added(Together together, Tensor x) {
            return added(joint.get(together), x);
        }

        private @Nullable Tensor added(@Nullable RowUpdates updates, Tensor x) {
            if (updates == null || !updates.actOn(first, lengths == null ? (int) x.size(0) : count)) {
                return null;
            }
            return lengths == null ? updates.times(x, first) : updates.times(x, first, lengths);
        }
    }

    @Override
    public void close() {
        for (int row = 0; row < stacks.length; row++) {
            leave(row);
        }
        of.values().stream().distinct().forEach(RowUpdates::close);
        of.clear();
        joint.clear();
    }
}
