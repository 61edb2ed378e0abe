package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.ModelHooks;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.matrices.FusedMatrix;
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
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Prefix;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.SoftPrompt;
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
 * The hooks of a selection in forward passes. Rows with the same adapters form a group. At each site the frozen layer runs once for the whole
 * batch, then each group's effects run on its rows.
 */
final class AdapterHooks implements ModelHooks {
    private final List<RowGroup> groups;
    private final @Nullable RowUpdates updates;

    private AdapterHooks(List<RowGroup> groups) {
        this(groups, null);
    }

    private AdapterHooks(List<RowGroup> groups, @Nullable RowUpdates updates) {
        this.groups = groups;
        this.updates = updates;
    }

    /** Returns hooks that process each row separately, independently of the others. */
    static Hooks eachRow(List<List<ActiveAdapter>> rows, @Nullable RowUpdates updates) {
        List<RowGroup> groups = new ArrayList<>();
        for (int row = 0; row < rows.size(); row++) {
            if (!rows.get(row).isEmpty()) {
                groups.add(RowGroup.of(new AdapterStack(rows.get(row)), new long[] {row}));
            }
        }
        return groups.isEmpty() && updates == null ? Hooks.NONE : new AdapterHooks(List.copyOf(groups), updates);
    }

    static Hooks of(List<List<ActiveAdapter>> rows, boolean perRow) {
        if (rows.stream().allMatch(List::isEmpty)) {
            return Hooks.NONE;
        }
        if (!perRow) {
            return new AdapterHooks(List.of(new RowGroup(new AdapterStack(rows.get(0)), null, 0)));
        }
        Map<List<ActiveAdapter>, List<Long>> byStack = new LinkedHashMap<>();
        for (int i = 0; i < rows.size(); i++) {
            byStack.computeIfAbsent(rows.get(i), s -> new ArrayList<>()).add((long) i);
        }
        List<RowGroup> groups = new ArrayList<>();
        byStack.forEach((stack, members) -> {
            if (!stack.isEmpty()) {
                groups.add(RowGroup.of(
                        new AdapterStack(stack),
                        members.stream().mapToLong(Long::longValue).toArray()));
            }
        });
        return new AdapterHooks(List.copyOf(groups));
    }

    @Override
    public void requireFit(Backbone backbone) {
        for (RowGroup group : groups) {
            for (ActiveAdapter active : group.stack().adapters()) {
                Base own = active.adapter().base();
                if (own.backbone() != backbone) {
                    throw new InputException(
                            "the adapter (" + active.adapter().method().type().name()
                                    + ") was made for another base object than the one that runs"
                                    + (own.hasReorderedLayers() ? ": it repeats layers, so use adapter.base()" : ""));
                }
            }
        }
    }

    @Override
    public void beforePass(Backbone backbone, Inputs in, ForwardPass pass) {
        LookAheads.of(groups).compute(backbone, in, pass);
    }

    @Override
    public Hooks selectRows(int... kept) {
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
        return left.isEmpty() ? Hooks.NONE : new AdapterHooks(List.copyOf(left));
    }

    @Override
    public Tensor linear(Linear site, Tensor x, PassView pass) {
        Tensor sum = added(site, x, updates == null ? null : updates.added(site, x), pass);
        return sum == null
                ? withOtherEffects(site, site, x, pass)
                : withOtherEffects(site, new KnownOutput(site, x, site.addTo(sum, x, pass)), x, pass);
    }

    /**
     * Returns {@code already} plus the changes of all groups that only add to a linear layer's output; null for no
     * change at all.
     */
    private @Nullable Tensor added(Linear site, Tensor x, @Nullable Tensor already, PassView pass) {
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
            sum = group.scatterInto(sum, change);
        }
        return sum;
    }

    @Override
    public Tensor[] linears(List<Linear> sites, Tensor x, PassView pass) {
        FusedMatrix fused = Linear.fused(sites);
        if (fused == null || x.requires_grad()) {
            return ModelHooks.super.linears(sites, x, pass);
        }
        Tensor sum = added(sites, fused, x, pass);
        if (sum != null && sum.requires_grad()) {
            return ModelHooks.super.linears(sites, x, pass);
        }
        Tensor[] outputs = fused.times(Ops.to(x, sites.get(0).type()), sum);
        for (int i = 0; i < outputs.length; i++) {
            Linear site = sites.get(i);
            outputs[i] = withOtherEffects(site, new KnownOutput(site, x, outputs[i]), x, pass);
        }
        return outputs;
    }

    /**
     * Returns the changes that are added to the outputs of layers whose matrices are fused, side by side; null for
     * none.
     */
    private @Nullable Tensor added(List<Linear> sites, FusedMatrix fused, Tensor x, PassView pass) {
        Tensor all = updates == null ? null : updates.added(fused, x);
        long start = 0;
        for (Linear site : sites) {
            Tensor sum = added(site, x, null, pass);
            if (sum != null) {
                if (all == null) {
                    all = zeros(site.type(), x, fused.rows());
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
    public Tensor convolution(Convolution site, Tensor x, PassView pass) {
        return withOtherEffects(site, site, x, pass);
    }

    @Override
    public Tensor embedding(Embedding site, Tensor ids, PassView pass) {
        return withOtherEffects(site, site, ids, pass);
    }

    @Override
    public Tensor expert(Experts site, int expert, Tensor x, long[] batchRows, PassView pass) {
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

    /**
     * Applies all effects at a layer, except those of groups that only add to a linear layer's output: {@code frozen}
     * contains them already.
     */
    private Tensor withOtherEffects(Site site, Affine frozen, Tensor x, PassView pass) {
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
            y = group.scatterInto(
                    y,
                    group.stack()
                            .layer(site, new KnownOutput(frozen, part, group.of(y)))
                            .apply(part, pass.of(group.rows())));
        }
        return y == null ? frozen.apply(x, pass) : y;
    }

    /** A frozen layer whose answer for one input is known. */
    private record KnownOutput(Affine frozen, Tensor x, Tensor y) implements Affine {
        @Override
        public Tensor apply(Tensor input, PassView pass) {
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
    public Tensor norm(Norm site, Tensor x, PassView pass) {
        Tensor y = null;
        for (RowGroup group : groups) {
            if (!group.stack().actsOn(site)) {
                continue;
            }
            if (group.rows() == null) {
                return group.stack().applyNorm(site, x);
            }
            y = group.scatterInto(y == null ? site.apply(x) : y, group.stack().applyNorm(site, group.of(x)));
        }
        return y == null ? site.apply(x) : y;
    }

    @Override
    public @Nullable Affine affine(Linear site) {
        if (isFrozen(site)) {
            return site;
        }
        return updates == null && groups.size() == 1 && groups.get(0).rows() == null
                ? groups.get(0).stack().layer(site, site)
                : null;
    }

    @Override
    public @Nullable Object replayKey() {
        return updates == null || !groups.isEmpty() ? null : updates.signature();
    }

    @Override
    public boolean readsAttentionInput() {
        return groups.stream()
                .flatMap(group -> group.stack().adapters().stream())
                .anyMatch(active -> active.adapter().readsAttentionInput());
    }

    @Override
    public boolean onlyPrepends(Site site) {
        return updates == null
                && groups.size() == 1
                && groups.get(0).rows() == null
                && groups.get(0).stack().onlyPrepends(site);
    }

    @Override
    public boolean isFrozen(Site site) {
        return groups.stream().noneMatch(group -> group.stack().actsOn(site))
                && (updates == null || !updates.actsOn(site));
    }

    @Override
    public Tensor block(Block site, Tensor residual, Tensor output, PassView pass) {
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
                    .applyEffects(
                            site,
                            Effect.Bottleneck.class,
                            before,
                            (effect, h) -> effect.apply(stream, h, normalise, pass));
            result = group.scatterInto(result, after);
        }
        return result;
    }

    @Override
    public Tensor layer(Layer site, Tensor hidden, PassView pass) {
        return intervened(site, hidden, pass);
    }

    @Override
    public Tensor stream(Stream site, Tensor hidden, PassView pass) {
        return intervened(site, hidden, pass);
    }

    @Override
    public Tensor undoStream(Stream site, Tensor rows) {
        Tensor result = rows;
        for (RowGroup group : groups) {
            if (!group.stack().actsOn(site)) {
                continue;
            }
            if (group.rows() != null && rows.dim() < 3) {
                throw new InputException(
                        "a head that undoes an invertible adapter reads one selection for all rows in training");
            }
            result = group.scatterInto(result, group.stack().undo(site, group.of(rows)));
        }
        return result;
    }

    private Tensor intervened(Site site, Tensor hidden, PassView pass) {
        Tensor result = hidden;
        for (RowGroup group : groups) {
            if (group.stack().actsOn(site)) {
                Tensor mask = group.of(pass.mask());
                Tensor read = pass.pastLengths();
                Tensor earlier = read == null ? null : group.of(read);
                PassView rowPass = group.rows() == null ? pass : pass.of(group.rows());
                Tensor after = group.stack()
                        .applyEffects(
                                site,
                                Effect.Intervene.class,
                                group.of(hidden),
                                (effect, h) -> effect.apply(h, mask, earlier, rowPass));
                result = group.scatterInto(result, after);
            }
        }
        return result;
    }

    @Override
    public Tensor attended(Attention site, Tensor queries, Tensor attended, PassView pass) {
        Tensor result = attended;
        for (RowGroup group : groups) {
            if (group.stack().actsOn(site)) {
                Tensor own = group.of(queries);
                Tensor after = group.stack()
                        .applyEffects(
                                site,
                                Effect.Attend.class,
                                group.of(attended),
                                (effect, h) -> h.add(Ops.to(effect.apply(own, pass), h.scalar_type())));
                result = group.scatterInto(result, after);
            }
        }
        return result;
    }

    @Override
    public @Nullable Prefix prefix(Attention site, long batch, PassView pass) {
        return Prefixes.of(groups, site, batch, pass);
    }

    @Override
    public @Nullable SoftPrompt prompt(Embedding site, long batch, PassView pass) {
        return site.input() ? Prompts.of(groups, site, batch, pass) : null;
    }

    @Override
    public @Nullable SoftPrompt prompt(Stream site, long batch, PassView pass) {
        return Prompts.of(groups, site, batch, pass);
    }
}
