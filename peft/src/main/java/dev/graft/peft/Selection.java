package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Site;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which adapters act, on which rows of a batch, and how strongly. Immutable, so one base serves any number of threads with different
 * adapters at once.
 *
 * <pre>{@code
 * base.logits(inputs, Pass.inference(Selection.of(adapter).hooks()));                                  // one for all rows
 * base.logits(inputs, Pass.inference(Selection.rows(Selection.of(a), Selection.BASE).hooks()));        // one per row
 * }</pre>
 */
public final class Selection {
    /** No adapter. */
    public static final Selection BASE = new Selection(List.of(List.of()), false);

    /**
     * An adapter that acts.
     *
     * @param skipped layers in which it doesn't
     * @param several what acts in its place where it stands for several, else null
     */
    record Active(
            Adapter adapter,
            double strength,
            Set<Integer> skipped,
            @Nullable Several several) {
        Active(Adapter adapter, double strength) {
            this(adapter, strength, Set.of(), null);
        }

        /** What it does at a site, in order. */
        List<Effect> effects(Site site) {
            if (skipped.contains(site.layer())) {
                return List.of();
            }
            return several == null ? adapter.effects(site) : several.effects(site);
        }

        List<Preview> previews() {
            return several == null ? adapter.previews() : several.previews();
        }

        long prefixLength(Attention site) {
            return adapter.prefixLength(site.kind());
        }

        long prefixShift(Attention site) {
            return adapter.prefixShift(site.kind());
        }
    }

    private final List<List<Active>> rows;
    private final boolean perRow;
    private final Hooks hooks;

    /** What it does, once that is known to be low-rank updates whose factors its adapters hold. */
    private volatile @Nullable LowRankStack held;

    private Selection(List<List<Active>> rows, boolean perRow) {
        this.rows = rows;
        this.perRow = perRow;
        this.hooks = Grafted.hooks(rows, perRow);
    }

    /** One adapter on every row. */
    public static Selection of(Adapter adapter) {
        return of(adapter, 1);
    }

    /**
     * One adapter on every row, part of the way: its outputs are {@code base + strength · (adapted - base)} at every site.
     *
     * @throws InputException if it has a prompt or a prefix, which are there or not, and the strength isn't 1
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
        return new Selection(List.of(List.of(new Active(adapter, strength))), false);
    }

    /** Several adapters on every row, each acting on what the ones before it give. */
    public static Selection all(Selection... selections) {
        List<Active> stack = new ArrayList<>();
        for (Selection selection : selections) {
            if (selection.perRow) {
                throw new IllegalArgumentException("stack adapters first, then choose rows");
            }
            stack.addAll(selection.rows.get(0));
        }
        return new Selection(List.of(List.copyOf(stack)), false);
    }

    /**
     * Several selections side by side on every row: at each site {@code Σ wᵢ yᵢ}, where yᵢ is what the i-th alone gives there. With weights
     * that sum to one it is AdapterHub's {@code Average} as its formula says.
     *
     * @throws InputException if one of them has a prompt or a prefix, or acts on rows
     */
    public static Selection average(List<Selection> selections, List<Double> weights) {
        if (!weights.stream().allMatch(Double::isFinite)) {
            throw new InputException("the weights of an average are " + weights + ", expected numbers");
        }
        List<Stack> members = members("averaged", selections, weights.size(), "weights");
        return several(new Averaged(members, weights));
    }

    /**
     * Several selections one after the other along a text, on every row: the i-th acts on {@code lengths[i]} positions, AdapterHub's
     * {@code Split}. Texts must have as many positions as the lengths sum to, padding included, and be read in one pass.
     *
     * @throws InputException if one of them has a prompt or a prefix, or acts on rows, or if the base is an encoder-decoder, which reads two
     *     texts; in a forward pass, if one of them acts elsewhere than on blocks' outputs, or on texts of another length
     */
    public static Selection split(List<Selection> selections, List<Integer> lengths) {
        if (!lengths.stream().allMatch(length -> length > 0)) {
            throw new InputException("the lengths of a split are " + lengths + ", expected positive numbers");
        }
        List<Stack> members = members("split", selections, lengths.size(), "lengths");
        for (Stack member : members) {
            for (Active active : member.adapters()) {
                requireOneText(active.adapter.base());
            }
        }
        return several(new Divided(members, lengths));
    }

    private static void requireOneText(Base base) {
        if (base.isEncoderDecoder()) {
            throw new InputException(
                    base.name() + " is an encoder-decoder, which reads two texts at once: a split counts"
                            + " the positions of one; choose these adapters by rows or put one behind the other");
        }
    }

    /** The stacks of selections that act in one adapter's place. */
    private static List<Stack> members(String how, List<Selection> selections, int count, String what) {
        if (selections.isEmpty() || selections.size() != count) {
            throw new InputException("there are " + selections.size() + " selections and " + count + " " + what
                    + ", expected as many of both, at least one");
        }
        List<Stack> members = new ArrayList<>();
        Set<Base> bases = new HashSet<>();
        for (Selection selection : selections) {
            if (selection.perRow) {
                throw new IllegalArgumentException("adapters are " + how + " first, then rows are chosen");
            }
            for (Active active : selection.rows.get(0)) {
                if (active.adapter.hasPrompt()) {
                    throw new InputException(active.adapter.method().type().name() + ": a prompt can't be " + how
                            + " with another adapter");
                }
                bases.add(active.adapter.base());
            }
            members.add(new Stack(selection.rows.get(0)));
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

    private static Selection several(Several several) {
        Adapter first = several.members().stream()
                .flatMap(stack -> stack.adapters().stream())
                .findFirst()
                .orElseThrow()
                .adapter();
        return new Selection(List.of(List.of(new Active(first, 1, Set.of(), several))), false);
    }

    /**
     * The same, but its adapters don't act in these layers: AdapterDrop (Rücklé et al., 2021) at inference. The lowest layers are
     * missed least, and layers without adapters are the same for all adapters.
     */
    public Selection skipping(Set<Integer> layers) {
        List<List<Active>> fewer = new ArrayList<>();
        for (List<Active> stack : rows) {
            fewer.add(stack.stream()
                    .map(active ->
                            new Active(active.adapter, active.strength, union(active.skipped, layers), active.several))
                    .toList());
        }
        return new Selection(List.copyOf(fewer), perRow);
    }

    private static Set<Integer> union(Set<Integer> some, Set<Integer> others) {
        Set<Integer> all = new HashSet<>(some);
        all.addAll(others);
        return Set.copyOf(all);
    }

    /** A selection for each row of a batch. */
    public static Selection rows(Selection... selections) {
        return rows(List.of(selections));
    }

    /** A selection for each row of a batch. */
    public static Selection rows(List<Selection> selections) {
        List<List<Active>> rows = new ArrayList<>();
        for (Selection selection : selections) {
            if (selection.perRow) {
                throw new IllegalArgumentException("a row has one selection");
            }
            rows.add(selection.rows.get(0));
        }
        return new Selection(List.copyOf(rows), true);
    }

    /** Whether a batch is read before it acts, by the frozen model as for X-LoRA or by a network of its own. */
    public boolean looksAhead() {
        return rows.stream()
                .flatMap(List::stream)
                .anyMatch(active -> !active.previews().isEmpty());
    }

    /** What a forward pass calls. */
    public Hooks hooks() {
        return hooks;
    }

    /** The adapters that act on every row, in their order. */
    List<Active> stack() {
        if (perRow) {
            throw new InputException("a selection by rows can't be merged: choose adapters for all rows");
        }
        return rows.get(0);
    }

    /** Whether all that it does is low-rank updates of linear layers, by factors that its adapters hold. */
    public boolean isLowRank() {
        LowRankStack stack = held == null && stack().stream().allMatch(Selection::isHeld) ? lowRank() : null;
        if (stack != null) {
            stack.close();
        }
        return held != null;
    }

    private static boolean isHeld(Active active) {
        return active.adapter.sites().stream()
                .flatMap(site -> active.effects(site).stream())
                .allMatch(effect -> effect instanceof Effect.Delta delta && delta.held() != null);
    }

    /** What it does, where that is low-rank updates of linear layers; null where it is something else too. To be closed by who asks. */
    @Nullable
    LowRankStack lowRank() {
        LowRankStack known = held;
        if (known == null) {
            known = LowRankStack.of(stack());
            held = known != null && known.made().isEmpty() ? known : null;
        }
        return known;
    }
}
