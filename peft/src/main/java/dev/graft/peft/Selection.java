package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A choice of adapters, their rows in a batch, and their strengths. Immutable, so one base serves any number of threads with different adapters
 * at once.
 *
 * <pre>{@code
 * base.logits(inputs, ForwardPass.inference(Selection.of(adapter).hooks()));                                  // one for all rows
 * base.logits(inputs, ForwardPass.inference(Selection.rows(Selection.of(a), Selection.BASE).hooks()));        // one per row
 * }</pre>
 */
public final class Selection {
    /** No adapter. */
    public static final Selection BASE = new Selection(List.of(List.of()), false);

    private final List<List<ActiveAdapter>> rows;
    private final boolean perRow;
    private final Hooks hooks;

    /** Its low-rank updates, once it is known to consist of those and its adapters own the factors. */
    private volatile @Nullable BatchedLowRank cachedLowRank;

    private Selection(List<List<ActiveAdapter>> rows, boolean perRow) {
        this.rows = rows;
        this.perRow = perRow;
        this.hooks = AdapterHooks.of(rows, perRow);
    }

    /** Returns a selection of one adapter on every row. */
    public static Selection of(Adapter adapter) {
        return of(adapter, 1);
    }

    /**
     * Returns a selection of one adapter on every row at partial strength: its outputs are {@code base + strength · (adapted - base)} at every
     * site.
     *
     * @throws InputException if the strength isn't 1 and the adapter has a prompt or a prefix, which can't be partial
     */
    public static Selection of(Adapter adapter, double strength) {
        if (!Double.isFinite(strength)) {
            throw new InputException("the strength of an adapter is " + strength + ", expected a number");
        }
        if (strength != 1 && adapter.hasPrompt()) {
            throw new InputException(
                    adapter.method().type().name() + ": a prompt can't act at strength " + strength + "; use 1");
        }
        if (adapter.lacksTask()) {
            throw new InputException(adapter.method().type().name() + ": the adapter has the tasks 0 to "
                    + (adapter.tasks() - 1) + "; choose one by adapter.task(0)");
        }
        return new Selection(List.of(List.of(new ActiveAdapter(adapter, strength))), false);
    }

    /** Returns several adapters for every row, each applied to the output of the ones before it. */
    public static Selection all(Selection... selections) {
        List<ActiveAdapter> stack = new ArrayList<>();
        for (Selection selection : selections) {
            if (selection.perRow) {
                throw new IllegalArgumentException("stack adapters first, then choose rows");
            }
            stack.addAll(selection.rows.get(0));
        }
        return new Selection(List.of(List.copyOf(stack)), false);
    }

    /**
     * Returns several selections side by side for every row: at each site {@code Σ wᵢ yᵢ}, where yᵢ is the output of the i-th alone. With weights
     * that sum to one it is AdapterHub's {@code Average}.
     *
     * @throws InputException if one of them has a prompt or a prefix, or the numbers of selections and weights differ
     * @throws IllegalArgumentException if one of them is a selection by rows
     */
    public static Selection average(List<Selection> selections, List<Double> weights) {
        if (!weights.stream().allMatch(Double::isFinite)) {
            throw new InputException("the weights of an average are " + weights + ", expected numbers");
        }
        List<AdapterStack> members = members("averaged", selections, weights.size(), "weights");
        return ofComposition(members, new AverageComposition(members, weights));
    }

    /**
     * Returns several selections for consecutive parts of every text: the i-th adapts {@code lengths[i]} positions, as AdapterHub's
     * {@code Split}. A text, including padding, must be as long as the sum of the lengths and be read in one pass.
     *
     * @throws InputException if one of them has a prompt or a prefix, or if the base is an encoder-decoder; in a forward pass, if one of them
     *     adapts other sites than blocks' outputs, or a text has another length
     * @throws IllegalArgumentException if one of them is a selection by rows
     */
    public static Selection split(List<Selection> selections, List<Integer> lengths) {
        if (!lengths.stream().allMatch(length -> length > 0)) {
            throw new InputException("the lengths of a split are " + lengths + ", expected positive numbers");
        }
        List<AdapterStack> members = members("split", selections, lengths.size(), "lengths");
        for (AdapterStack member : members) {
            for (ActiveAdapter active : member.adapters()) {
                requireOneText(active.adapter().base());
            }
        }
        return ofComposition(members, new SplitComposition(members, lengths));
    }

    private static void requireOneText(Base base) {
        if (base.isEncoderDecoder()) {
            throw new InputException(
                    base.name() + " is an encoder-decoder, which reads two texts at once: a split counts"
                            + " the positions of one; choose these adapters by rows or put one behind the other");
        }
    }

    /** Returns the stacks of selections that are used in place of one adapter. */
    private static List<AdapterStack> members(String how, List<Selection> selections, int count, String what) {
        if (selections.isEmpty() || selections.size() != count) {
            throw new InputException("there are " + selections.size() + " selections and " + count + " " + what
                    + ", expected as many of both, at least one");
        }
        List<AdapterStack> members = new ArrayList<>();
        Set<Base> bases = new HashSet<>();
        for (Selection selection : selections) {
            if (selection.perRow) {
                throw new IllegalArgumentException("adapters are " + how + " first, then rows are chosen");
            }
            for (ActiveAdapter active : selection.rows.get(0)) {
                if (active.adapter().hasPrompt()) {
                    throw new InputException(active.adapter().method().type().name() + ": a prompt can't be " + how
                            + " with another adapter");
                }
                bases.add(active.adapter().base());
            }
            members.add(new AdapterStack(selection.rows.get(0)));
        }
        if (bases.size() > 1) {
            throw new InputException(
                    "adapters that are " + how + " must be on one base object, these are on " + bases.size());
        }
        if (bases.isEmpty()) {
            throw new InputException("there is no adapter that could be " + how);
        }
        return members;
    }

    private static Selection ofComposition(List<AdapterStack> members, Composition composition) {
        Adapter first = members.stream()
                .flatMap(stack -> stack.adapters().stream())
                .findFirst()
                .orElseThrow()
                .adapter();
        return new Selection(List.of(List.of(new ActiveAdapter(first, 1, Set.of(), composition))), false);
    }

    /**
     * Returns a copy whose adapters have no effect in these layers: AdapterDrop (Rücklé et al., 2021) at inference. Dropping the lowest layers
     * costs least quality, and all adapters share the results of layers without adapters.
     */
    public Selection skipping(Set<Integer> layers) {
        List<List<ActiveAdapter>> fewer = new ArrayList<>();
        for (List<ActiveAdapter> stack : rows) {
            fewer.add(stack.stream()
                    .map(active -> new ActiveAdapter(
                            active.adapter(), active.strength(), union(active.skipped(), layers), active.composition()))
                    .toList());
        }
        return new Selection(List.copyOf(fewer), perRow);
    }

    private static Set<Integer> union(Set<Integer> some, Set<Integer> others) {
        Set<Integer> all = new HashSet<>(some);
        all.addAll(others);
        return Set.copyOf(all);
    }

    /** Returns a selection for each row of a batch. */
    public static Selection rows(Selection... selections) {
        return rows(List.of(selections));
    }

    /** Returns a selection for each row of a batch. */
    public static Selection rows(List<Selection> selections) {
        List<List<ActiveAdapter>> rows = new ArrayList<>();
        for (Selection selection : selections) {
            if (selection.perRow) {
                throw new IllegalArgumentException("a row has one selection");
            }
            rows.add(selection.rows.get(0));
        }
        return new Selection(List.copyOf(rows), true);
    }

    /**
     * Returns whether a model reads the batch before the main pass: the frozen model as for X-LoRA, or a side network.
     */
    public boolean looksAhead() {
        return rows.stream()
                .flatMap(List::stream)
                .anyMatch(active -> !active.lookAheads().isEmpty());
    }

    /** Returns the hooks of a forward pass. */
    public Hooks hooks() {
        return hooks;
    }

    /** Returns the adapters for every row, in order. */
    List<ActiveAdapter> stack() {
        if (perRow) {
            throw new InputException("a selection by rows can't be merged: choose adapters for all rows");
        }
        return rows.get(0);
    }

    /** Returns whether it consists only of low-rank updates of linear layers, with factors that its adapters own. */
    public boolean isLowRank() {
        BatchedLowRank update =
                cachedLowRank == null && stack().stream().allMatch(Selection::isHeld) ? lowRank() : null;
        if (update != null) {
            update.close();
        }
        return cachedLowRank != null;
    }

    private static boolean isHeld(ActiveAdapter active) {
        return active.adapter().sites().stream()
                .flatMap(site -> active.effects(site).stream())
                .allMatch(effect -> effect instanceof Effect.Delta delta && delta.scaledFactors() != null);
    }

    /**
     * Returns its low-rank updates of linear layers; null if it has other effects too. The caller closes the result.
     */
    @Nullable
    BatchedLowRank lowRank() {
        BatchedLowRank known = cachedLowRank;
        if (known == null) {
            known = BatchedLowRank.of(stack());
            cachedLowRank = known != null && known.owned().isEmpty() ? known : null;
        }
        return known;
    }
}
