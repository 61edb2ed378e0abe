package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.matrices.Together;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Prefix;
import dev.graft.models.sites.Prompt;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
    private final List<RowGroup> groups;
    private final Slots.@Nullable Rows slots;

    private Grafted(List<RowGroup> groups) {
        this(groups, null);
    }

    private Grafted(List<RowGroup> groups, Slots.@Nullable Rows slots) {
        this.groups = groups;
        this.slots = slots;
    }

    /** Each row by itself, whatever the others have. */
    static Hooks apart(List<List<Selection.Active>> rows, Slots.@Nullable Rows slots) {
        List<RowGroup> groups = new ArrayList<>();
        for (int row = 0; row < rows.size(); row++) {
            if (!rows.get(row).isEmpty()) {
                groups.add(RowGroup.of(new Stack(rows.get(row)), new long[] {row}));
            }
        }
        return groups.isEmpty() && slots == null ? Hooks.NONE : new Grafted(List.copyOf(groups), slots);
    }

    static Hooks hooks(List<List<Selection.Active>> rows, boolean perRow) {
        if (rows.stream().allMatch(List::isEmpty)) {
            return Hooks.NONE;
        }
        if (!perRow) {
            return new Grafted(List.of(new RowGroup(new Stack(rows.get(0)), null, 0)));
        }
        Map<List<Selection.Active>, List<Long>> byStack = new LinkedHashMap<>();
        for (int i = 0; i < rows.size(); i++) {
            byStack.computeIfAbsent(rows.get(i), s -> new ArrayList<>()).add((long) i);
        }
        List<RowGroup> groups = new ArrayList<>();
        byStack.forEach((stack, members) -> {
            if (!stack.isEmpty()) {
                groups.add(RowGroup.of(
                        new Stack(stack),
                        members.stream().mapToLong(Long::longValue).toArray()));
            }
        });
        return new Grafted(List.copyOf(groups));
    }

    @Override
    public void requireFit(Backbone backbone) {
        for (RowGroup group : groups) {
            for (Selection.Active active : group.stack().adapters()) {
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
    public void before(Backbone backbone, Inputs in, Pass pass) {
        Previews.of(groups).read(backbone, in, pass);
    }

    @Override
    public Hooks rows(int... kept) {
        List<RowGroup> left = new ArrayList<>();
        for (RowGroup group : groups) {
            if (group.rows() == null) {
                left.add(group);
                continue;
            }
            long[] before = Tensors.longs(group.rows());
            long[] indices = IntStream.range(0, kept.length)
                    .filter(i -> Arrays.stream(before).anyMatch(row -> row == kept[i]))
                    .asLongStream()
                    .toArray();
            if (indices.length > 0) {
                left.add(RowGroup.of(group.stack(), indices));
            }
        }
        return left.isEmpty() ? Hooks.NONE : new Grafted(List.copyOf(left));
    }

    @Override
    public Tensor linear(Linear site, Tensor x, Pass pass) {
        Tensor sum = added(site, x, slots == null ? null : slots.added(site, x), pass);
        return sum == null
                ? rest(site, site, x, pass)
                : rest(site, new Known(site, x, site.addTo(sum, x, pass)), x, pass);
    }

    /** What groups that only add to a linear layer's answer add to it, and what is there already; null for nothing. */
    private @Nullable Tensor added(Linear site, Tensor x, @Nullable Tensor already, Pass pass) {
        Tensor sum = already;
        for (RowGroup group : groups) {
            Tensor change = group.added(site, x, pass);
            if (change == null) {
                continue;
            }
            if (group.rows() == null) {
                return change;
            }
            if (sum == null) {
                sum = zeros(site.type(), x, site.out());
            }
            sum = group.into(sum, change);
        }
        return sum;
    }

    @Override
    public Tensor[] linears(List<Linear> sites, Tensor x, Pass pass) {
        Together together = Linear.together(sites);
        if (together == null || x.requires_grad()) {
            return Hooks.super.linears(sites, x, pass);
        }
        Tensor sum = added(sites, together, x, pass);
        if (sum != null && sum.requires_grad()) {
            return Hooks.super.linears(sites, x, pass);
        }
        Tensor[] outputs = together.times(Ops.to(x, sites.get(0).type()), sum);
        for (int i = 0; i < outputs.length; i++) {
            Linear site = sites.get(i);
            outputs[i] = rest(site, new Known(site, x, outputs[i]), x, pass);
        }
        return outputs;
    }

    /** What is added to the answers of layers whose matrices were put together, side by side; null for nothing. */
    private @Nullable Tensor added(List<Linear> sites, Together together, Tensor x, Pass pass) {
        Tensor all = slots == null ? null : slots.added(together, x);
        long start = 0;
        for (Linear site : sites) {
            Tensor sum = added(site, x, null, pass);
            if (sum != null) {
                if (all == null) {
                    all = zeros(site.type(), x, together.rows());
                }
                all.narrow(-1, start, site.out()).add_(sum);
            }
            start += site.out();
        }
        return all;
    }

    /** Zeros {@code [..., width]} for x {@code [..., in]}. */
    private static Tensor zeros(ScalarType type, Tensor x, long width) {
        long[] shape = Tensors.shape(x);
        shape[shape.length - 1] = width;
        return Tensors.zeros(type, shape);
    }

    @Override
    public Tensor convolution(Convolution site, Tensor x, Pass pass) {
        return rest(site, site, x, pass);
    }

    @Override
    public Tensor embedding(Embedding site, Tensor ids, Pass pass) {
        return rest(site, site, ids, pass);
    }

    @Override
    public Tensor expert(Experts site, int expert, Tensor x, long[] batchRows, Pass pass) {
        Tensor y = null;
        for (RowGroup group : groups) {
            if (!group.stack().actsOn(site)) {
                continue;
            }
            if (group.rows() == null) {
                return group.stack().expert(site, expert).apply(x, pass);
            }
            y = y == null ? site.at(expert).apply(x, pass) : y;
            long[] own = Tensors.longs(group.rows());
            long[] places = IntStream.range(0, batchRows.length)
                    .filter(place -> Arrays.stream(own).anyMatch(row -> row == batchRows[place]))
                    .asLongStream()
                    .toArray();
            if (places.length > 0) {
                Tensor index = Tensors.of(places, places.length);
                Tensor part = group.stack().expert(site, expert).apply(x.index_select(0, index), pass);
                y = y.index_copy(0, index, Ops.to(part, y.scalar_type()));
            }
        }
        return y == null ? site.at(expert).apply(x, pass) : y;
    }

    /** What a layer gives with all effects, but those of groups that only add to a linear layer's answer: they are in it already. */
    private Tensor rest(Site site, Affine frozen, Tensor x, Pass pass) {
        Tensor y = null;
        for (RowGroup group : groups) {
            if (site instanceof Linear
                    ? group.stack().onlyAdds(site)
                    : !group.stack().actsOn(site)) {
                continue;
            }
            if (group.rows() == null) {
                return group.stack().layer(site, frozen).apply(x, pass);
            }
            if (y == null) {
                y = frozen.apply(x, pass);
            }
            Tensor part = group.of(x);
            y = group.into(
                    y,
                    group.stack()
                            .layer(site, new Known(frozen, part, group.of(y)))
                            .apply(part, pass.of(group.rows())));
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

    @Override
    public Tensor norm(Norm site, Tensor x, Pass pass) {
        Tensor y = null;
        for (RowGroup group : groups) {
            if (!group.stack().actsOn(site)) {
                continue;
            }
            if (group.rows() == null) {
                return group.stack().normalised(site, x);
            }
            y = group.into(y == null ? site.apply(x) : y, group.stack().normalised(site, group.of(x)));
        }
        return y == null ? site.apply(x) : y;
    }

    @Override
    public @Nullable Affine affine(Linear site) {
        if (isFrozen(site)) {
            return site;
        }
        return slots == null && groups.size() == 1 && groups.get(0).rows() == null
                ? groups.get(0).stack().layer(site, site)
                : null;
    }

    @Override
    public @Nullable Object repeatable() {
        return slots == null || !groups.isEmpty() ? null : slots.acting();
    }

    @Override
    public boolean readAttentionInput() {
        return groups.stream()
                .flatMap(group -> group.stack().adapters().stream())
                .anyMatch(active -> active.adapter().readsAttentionInput());
    }

    @Override
    public boolean onlyPrepends(Site site) {
        return slots == null
                && groups.size() == 1
                && groups.get(0).rows() == null
                && groups.get(0).stack().onlyPrepends(site);
    }

    @Override
    public boolean isFrozen(Site site) {
        return groups.stream().noneMatch(group -> group.stack().actsOn(site)) && (slots == null || !slots.actOn(site));
    }

    @Override
    public Tensor block(Block site, Tensor residual, Tensor output, Pass pass) {
        Tensor result = output;
        for (RowGroup group : groups) {
            if (!group.stack().actsOn(site)) {
                continue;
            }
            Norm norm = site.norm() == null ? null : group.stack().norm(site.norm());
            UnaryOperator<Tensor> normalise = norm == null ? UnaryOperator.identity() : norm::apply;
            Tensor stream = group.of(residual);
            Tensor before = Ops.to(group.of(output), residual.scalar_type());
            Tensor after = group.stack()
                    .each(
                            site,
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

    @Override
    public Tensor undo(Stream site, Tensor rows) {
        Tensor result = rows;
        for (RowGroup group : groups) {
            if (!group.stack().actsOn(site)) {
                continue;
            }
            if (group.rows() != null && rows.dim() < 3) {
                throw new InputException(
                        "a head that undoes an invertible adapter reads one selection for all rows in training");
            }
            result = group.into(result, group.stack().undone(site, group.of(rows)));
        }
        return result;
    }

    private Tensor intervened(Site site, Tensor hidden, Pass pass) {
        Tensor result = hidden;
        for (RowGroup group : groups) {
            if (group.stack().actsOn(site)) {
                Tensor mask = group.of(pass.context().mask());
                Tensor read = pass.context().earlier();
                Tensor earlier = read == null ? null : group.of(read);
                Pass own = group.rows() == null ? pass : pass.of(group.rows());
                Tensor after = group.stack()
                        .each(
                                site,
                                Effect.Intervene.class,
                                group.of(hidden),
                                (effect, h) -> effect.apply(h, mask, earlier, own));
                result = group.into(result, after);
            }
        }
        return result;
    }

    @Override
    public Tensor attended(Attention site, Tensor queries, Tensor attended, Pass pass) {
        Tensor result = attended;
        for (RowGroup group : groups) {
            if (group.stack().actsOn(site)) {
                Tensor own = group.of(queries);
                Tensor after = group.stack()
                        .each(
                                site,
                                Effect.Attend.class,
                                group.of(attended),
                                (effect, h) -> h.add(Ops.to(effect.apply(own, pass), h.scalar_type())));
                result = group.into(result, after);
            }
        }
        return result;
    }

    @Override
    public @Nullable Prefix prefix(Attention site, long batch, Pass pass) {
        return Prefixes.of(groups, site, batch, pass);
    }

    @Override
    public @Nullable Prompt prompt(Embedding site, long batch, Pass pass) {
        return site.input() ? Prompts.of(groups, site, batch, pass) : null;
    }

    @Override
    public @Nullable Prompt prompt(Stream site, long batch, Pass pass) {
        return Prompts.of(groups, site, batch, pass);
    }
}
