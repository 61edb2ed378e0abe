package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.KvCache;
import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Prefix;
import dev.graft.models.sites.Prompt;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A selection at work in forward passes: rows with the same adapters form a group; at each site the frozen layer runs once for the whole
 * batch, then each group's effects on its rows.
 */
final class Grafted implements Hooks {
    /**
     * Rows with the same adapters.
     *
     * @param rows their indices, int64; null for all rows
     * @param count how many they are; 0 for all
     */
    private record Group(
            List<Selection.Active> stack, @Nullable Tensor rows, int count) {
        static Group of(List<Selection.Active> stack, long[] indices) {
            try (Scope scope = new Scope()) {
                return new Group(stack, scope.release(Tensors.of(indices, indices.length)), indices.length);
            }
        }

        Tensor of(Tensor batch) {
            return rows == null ? batch : batch.index_select(0, rows);
        }

        Tensor into(Tensor batch, Tensor changed) {
            return rows == null ? changed : batch.index_copy(0, rows, Ops.to(changed, batch.scalar_type()));
        }

        boolean actsOn(Site site) {
            for (Selection.Active active : stack) {
                if (!active.adapter().effects(site).isEmpty()) {
                    return true;
                }
            }
            return false;
        }
    }

    private final List<Group> groups;

    private Grafted(List<Group> groups) {
        this.groups = groups;
    }

    static Hooks hooks(List<List<Selection.Active>> rows, boolean perRow) {
        if (rows.stream().allMatch(List::isEmpty)) {
            return Hooks.NONE;
        }
        if (!perRow) {
            return new Grafted(List.of(new Group(rows.get(0), null, 0)));
        }
        Map<List<Selection.Active>, List<Long>> byStack = new LinkedHashMap<>();
        for (int i = 0; i < rows.size(); i++) {
            byStack.computeIfAbsent(rows.get(i), s -> new ArrayList<>()).add((long) i);
        }
        List<Group> groups = new ArrayList<>();
        byStack.forEach((stack, members) -> {
            if (!stack.isEmpty()) {
                groups.add(Group.of(
                        stack, members.stream().mapToLong(Long::longValue).toArray()));
            }
        });
        return new Grafted(List.copyOf(groups));
    }

    @Override
    public void requireFit(Backbone backbone) {
        for (Group group : groups) {
            for (Selection.Active active : group.stack) {
                Base own = active.adapter().base();
                if (own.backbone() != backbone) {
                    throw new InputException(
                            "the adapter (" + active.adapter().method().type().name()
                                    + ") was made for another base object than the one that runs"
                                    + (own.hasOtherLayers() ? ": it repeats layers, so use adapter.base()" : ""));
                }
            }
        }
    }

    @Override
    public Hooks rows(int... kept) {
        List<Group> left = new ArrayList<>();
        for (Group group : groups) {
            if (group.rows == null) {
                left.add(group);
                continue;
            }
            long[] before = Tensors.longs(group.rows);
            long[] indices = IntStream.range(0, kept.length)
                    .filter(i -> Arrays.stream(before).anyMatch(row -> row == kept[i]))
                    .asLongStream()
                    .toArray();
            if (indices.length > 0) {
                left.add(Group.of(group.stack, indices));
            }
        }
        return left.isEmpty() ? Hooks.NONE : new Grafted(List.copyOf(left));
    }

    @Override
    public Tensor linear(Linear site, Tensor x, Pass pass) {
        return affine(site, site, x, pass);
    }

    @Override
    public Tensor embedding(Embedding site, Tensor ids, Pass pass) {
        return affine(site, site, ids, pass);
    }

    private Tensor affine(Site site, Affine frozen, Tensor x, Pass pass) {
        Tensor y = null;
        for (Group group : groups) {
            if (!group.actsOn(site)) {
                continue;
            }
            if (group.rows == null) {
                return compose(site, frozen, group).apply(x, pass);
            }
            if (y == null) {
                y = frozen.apply(x, pass);
            }
            Tensor part = group.of(x);
            y = group.into(
                    y,
                    compose(site, new Known(frozen, part, group.of(y)), group).apply(part, pass.of(group.rows)));
        }
        return y == null ? frozen.apply(x, pass) : y;
    }

    /** A frozen layer whose answer for one input is known. */
    private record Known(Affine frozen, Tensor x, Tensor y) implements Affine {
        @Override
        public Tensor apply(Tensor input, Pass pass) {
            return input == x ? y : frozen.apply(input, pass);
        }

        @Override
        public Tensor weight() {
            return frozen.weight();
        }

        @Override
        public @Nullable Tensor bias() {
            return frozen.bias();
        }
    }

    private static Affine compose(Site site, Affine frozen, Group group) {
        return compose(site, frozen, group.stack);
    }

    /** The layer with all effects of a stack of adapters. */
    static Affine compose(Site site, Affine frozen, List<Selection.Active> stack) {
        Affine layer = frozen;
        for (Selection.Active active : stack) {
            Affine before = layer;
            for (Effect effect : active.adapter().effects(site)) {
                if (!(effect instanceof Effect.Prompt)) {
                    layer = Composed.of(site, layer, effect);
                }
            }
            if (active.strength() != 1 && layer != before) {
                layer = new Composed.Blend(before, layer, active.strength());
            }
        }
        return layer;
    }

    @Override
    public Tensor norm(Norm site, Tensor x, Pass pass) {
        Tensor y = null;
        for (Group group : groups) {
            if (!group.actsOn(site)) {
                continue;
            }
            if (group.rows == null) {
                return normalised(site, group.stack, x);
            }
            y = group.into(y == null ? site.apply(x) : y, normalised(site, group.stack, group.of(x)));
        }
        return y == null ? site.apply(x) : y;
    }

    @Override
    public @Nullable Affine affine(Linear site) {
        if (isFrozen(site)) {
            return site;
        }
        return groups.size() == 1 && groups.get(0).rows == null ? compose(site, site, groups.get(0)) : null;
    }

    @Override
    public boolean isFrozen(Site site) {
        return groups.stream().noneMatch(group -> group.actsOn(site));
    }

    private static Tensor normalised(Norm site, List<Selection.Active> stack, Tensor x) {
        Tensor y = replaced(site, stack).apply(x);
        for (Selection.Active active : stack) {
            if (active.adapter().effects(site).stream().anyMatch(Effect.Skip.class::isInstance)) {
                y = blend(y, x, active.strength());
            }
        }
        return y;
    }

    /** The norm with the parameters that a stack of adapters gives it. */
    static Norm replaced(Norm site, List<Selection.Active> stack) {
        Norm norm = site;
        for (Selection.Active active : stack) {
            for (Effect effect : active.adapter().effects(site)) {
                if (effect instanceof Effect.Skip) {
                    continue;
                }
                if (!(effect instanceof Effect.Replace replace)) {
                    throw new IllegalStateException(site.name() + " can't have the effect " + effect);
                }
                norm = norm.with(
                        blend(norm.weight(), replace.weight(), active.strength()),
                        norm.bias() == null ? null : blend(norm.bias(), replace.bias(), active.strength()));
            }
        }
        return norm;
    }

    private static Tensor blend(Tensor from, @Nullable Tensor to, double strength) {
        if (to == null) {
            return from;
        }
        return strength == 1 ? to : Ops.addScaled(from, to.sub(from), strength);
    }

    @Override
    public Tensor block(Block site, Tensor residual, Tensor output, Pass pass) {
        Tensor result = output;
        for (Group group : groups) {
            if (!group.actsOn(site)) {
                continue;
            }
            Norm norm = site.norm() == null ? null : replaced(site.norm(), group.stack);
            UnaryOperator<Tensor> normalise = norm == null ? UnaryOperator.identity() : norm::apply;
            Tensor stream = group.of(residual);
            Tensor before = Ops.to(group.of(output), residual.scalar_type());
            Tensor after = each(
                    site,
                    group,
                    Effect.Bottleneck.class,
                    before,
                    (effect, h) -> effect.apply(stream, h, normalise, pass));
            result = group.into(result, after);
        }
        return result;
    }

    @Override
    public Tensor layer(Layer site, Tensor hidden, Pass pass) {
        return intervened(site, hidden, pass);
    }

    @Override
    public Tensor stream(Stream site, Tensor hidden, Pass pass) {
        return intervened(site, hidden, pass);
    }

    private Tensor intervened(Site site, Tensor hidden, Pass pass) {
        Tensor result = hidden;
        for (Group group : groups) {
            if (group.actsOn(site)) {
                Tensor mask = group.of(pass.mask());
                KvCache cache = pass.cache();
                Tensor seen = cache == null ? null : cache.mask();
                Tensor earlier = seen == null ? null : Ops.sum(group.of(seen), 1, true);
                Tensor after = each(
                        site,
                        group,
                        Effect.Intervene.class,
                        group.of(hidden),
                        (effect, h) -> effect.apply(h, mask, earlier, pass));
                result = group.into(result, after);
            }
        }
        return result;
    }

    @Override
    public Tensor attended(Attention site, Tensor queries, Tensor attended, Pass pass) {
        Tensor result = attended;
        for (Group group : groups) {
            if (group.actsOn(site)) {
                Tensor own = group.of(queries);
                Tensor after = each(
                        site,
                        group,
                        Effect.Attend.class,
                        group.of(attended),
                        (effect, h) -> h.add(Ops.to(effect.apply(own, pass), h.scalar_type())));
                result = group.into(result, after);
            }
        }
        return result;
    }

    private interface Step<E> {
        Tensor apply(E effect, Tensor h);
    }

    private static <E extends Effect> Tensor each(Site site, Group group, Class<E> kind, Tensor start, Step<E> step) {
        Tensor h = start;
        for (Selection.Active active : group.stack) {
            for (Effect effect : active.adapter().effects(site)) {
                if (!kind.isInstance(effect)) {
                    continue;
                }
                Tensor changed = step.apply(kind.cast(effect), h);
                h = active.strength() == 1 ? changed : Ops.addScaled(h, changed.sub(h), active.strength());
            }
        }
        return h;
    }

    @Override
    public @Nullable Prefix prefix(Attention site, long batch, Pass pass) {
        List<@Nullable Tensor> parts =
                gather(site, Effect.Prefix.class, effect -> effect.keyValues().apply(pass), 1);
        long longest = longest(parts, 1);
        if (longest == 0) {
            return null;
        }
        ScalarType type = first(parts).scalar_type();
        Tensor keys = Tensors.zeros(type, batch, site.heads(), longest, site.headDim());
        Tensor values = Tensors.zeros(type, batch, site.heads(), longest, site.headDim());
        long[] mask = new long[Math.toIntExact(batch * longest)];
        long[] shift = new long[(int) batch];
        for (int g = 0; g < groups.size(); g++) {
            Tensor part = parts.get(g);
            if (part == null) {
                continue;
            }
            Group group = groups.get(g);
            long length = part.size(1);
            Tensor shaped = part.transpose(1, 2).unsqueeze(1).expand(2, rows(group, batch), -1, -1, -1);
            keys = place(keys, group, shaped.select(0, 0), longest - length, 2);
            values = place(values, group, shaped.select(0, 1), longest - length, 2);
            visible(mask, group, batch, longest, length);
            long moved = shifted(site, group);
            for (long row : indices(group, batch)) {
                shift[(int) row] = moved;
            }
        }
        return new Prefix(keys, values, Tensors.of(mask, batch, longest), Tensors.of(shift, batch));
    }

    private static long shifted(Attention site, Group group) {
        long shift = 0;
        for (Selection.Active active : group.stack) {
            for (Effect effect : active.adapter().effects(site)) {
                if (effect instanceof Effect.Prefix prefix && prefix.shifts()) {
                    shift += prefix.length();
                }
            }
        }
        return shift;
    }

    @Override
    public @Nullable Prompt prompt(Embedding site, long batch, Pass pass) {
        if (!site.input()) {
            return null;
        }
        List<@Nullable Tensor> parts =
                gather(site, Effect.Prompt.class, effect -> effect.rows().apply(pass), 0);
        long longest = longest(parts, 0);
        if (longest == 0) {
            return null;
        }
        Tensor rows = Tensors.zeros(first(parts).scalar_type(), batch, longest, site.hidden());
        long[] mask = new long[Math.toIntExact(batch * longest)];
        PromptTargets targets = PromptTargets.none(mask.length);
        for (int g = 0; g < groups.size(); g++) {
            Tensor part = parts.get(g);
            if (part != null) {
                Group group = groups.get(g);
                Tensor shaped = part.unsqueeze(0).expand(rows(group, batch), -1, -1);
                rows = place(rows, group, shaped, longest - part.size(0), 1);
                visible(mask, group, batch, longest, part.size(0));
                aim(targets, site, group, batch, longest, part.size(0));
            }
        }
        return new Prompt(rows, Tensors.of(mask, batch, longest), targets);
    }

    /** Writes what the prompts of a group should predict: they end at the last row of the longest. */
    private static void aim(PromptTargets all, Embedding site, Group group, long batch, long longest, long length) {
        for (long row : indices(group, batch)) {
            int at = Math.toIntExact((row + 1) * longest - length);
            for (Selection.Active active : group.stack) {
                for (Effect effect : active.adapter().effects(site)) {
                    if (effect instanceof Effect.Prompt prompt) {
                        prompt.targets().copyInto(all, at);
                        at += prompt.length();
                    }
                }
            }
        }
    }

    /** For each group what its adapters give at the site, one after another along a dimension; null where they give nothing. */
    private <E extends Effect> List<@Nullable Tensor> gather(
            Site site, Class<E> kind, Function<E, Tensor> value, long dim) {
        List<@Nullable Tensor> parts = new ArrayList<>();
        for (Group group : groups) {
            List<Tensor> found = new ArrayList<>();
            for (Selection.Active active : group.stack) {
                for (Effect effect : active.adapter().effects(site)) {
                    if (kind.isInstance(effect)) {
                        found.add(value.apply(kind.cast(effect)));
                    }
                }
            }
            parts.add(
                    found.isEmpty()
                            ? null
                            : found.size() == 1 ? found.get(0) : Ops.cat(dim, found.toArray(Tensor[]::new)));
        }
        return parts;
    }

    private static long longest(List<@Nullable Tensor> parts, long dim) {
        long longest = 0;
        for (Tensor part : parts) {
            longest = part == null ? longest : Math.max(longest, part.size(dim));
        }
        return longest;
    }

    private static Tensor first(List<@Nullable Tensor> parts) {
        for (Tensor part : parts) {
            if (part != null) {
                return part;
            }
        }
        throw new IllegalStateException("no part");
    }

    private static long rows(Group group, long batch) {
        return group.rows == null ? batch : group.count;
    }

    private static long[] indices(Group group, long batch) {
        return group.rows == null ? Tensors.longs(Tensors.arange(batch)) : Tensors.longs(group.rows);
    }

    /** Writes a group's part at the right end of a dimension. */
    private static Tensor place(Tensor all, Group group, Tensor part, long skipped, long dim) {
        Tensor padded = part;
        if (skipped > 0) {
            long[] shape = Tensors.shape(part);
            shape[(int) dim] = skipped;
            padded = Ops.cat(dim, Tensors.zeros(part.scalar_type(), shape), part);
        }
        return group.into(all, padded);
    }

    private static void visible(long[] mask, Group group, long batch, long longest, long length) {
        for (long row : indices(group, batch)) {
            Arrays.fill(mask, Math.toIntExact((row + 1) * longest - length), Math.toIntExact((row + 1) * longest), 1);
        }
    }
}
