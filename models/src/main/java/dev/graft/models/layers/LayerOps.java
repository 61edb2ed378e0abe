package dev.graft.models.layers;

import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.Rope;
import dev.graft.models.cache.BatchedKvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.RaggedBatch;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.Products;
import dev.graft.tensor.ops.Tape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The operations of layers: norms, linear layers, activations, residual additions. In training they run on the tape of the pass, with gradients
 * by formula where they are known.
 */
public final class LayerOps {
    private LayerOps() {}

    /**
     * Runs layers one after the other on h {@code [batch, seq, hidden]}, and collects the input of each.
     *
     * @param run returns the output of a layer for its input
     */
    public static <L> Tensor layers(ForwardPass pass, List<L> layers, Tensor h, BiFunction<L, Tensor, Tensor> run) {
        Tensor x = h;
        for (L layer : layers) {
            Tensor input = x;
            pass.collect(input);
            x = pass.layer(() -> run.apply(layer, input));
        }
        return x;
    }

    /**
     * Runs layers for a step of texts that are generated together. The step may replay an earlier one
     * ({@link BatchedKvCache.DecodeStep#replayed}).
     *
     * @param masks the attention masks of the layers
     * @param given all other tensors that are created for the pass and read in the layers
     */
    public static <L> Tensor layers(
            ForwardPass pass,
            List<L> layers,
            Tensor h,
            Collection<AttentionMask> masks,
            List<Tensor> given,
            BiFunction<L, Tensor, Tensor> run) {
        RaggedBatch ragged = pass.ragged();
        BatchedKvCache.DecodeStep step = ragged == null ? null : ragged.step();
        Object way = step == null || pass.collects() ? null : pass.hooks().replayKey();
        if (step == null || way == null || !masks.stream().allMatch(AttentionMask::showsAll)) {
            return layers(pass, layers, h, run);
        }
        List<Tensor> all = new ArrayList<>(given);
        all.add(h);
        return step.replayed(layers, List.of(way, all.size()), all, () -> layers(pass, layers, h, run));
    }

    /** Returns x in another type. */
    public static Tensor cast(ForwardPass pass, Tensor x, ScalarType type) {
        Tape tape = pass.tape();
        if (tape == null || !x.requires_grad() || x.scalar_type().value == type.value) {
            return Ops.to(x, type);
        }
        Profiler.enter("cast");
        return tape.run(() -> new Tensor[] {Ops.to(x, type)}, (gradient, kept) -> Tape.accumulate(x, gradient));
    }

    /**
     * Applies a norm to the residual stream {@code [batch, seq, hidden]}, or to queries or keys, and returns another type; no norm if the site is
     * null.
     */
    public static Tensor norm(ForwardPass pass, @Nullable Norm site, Tensor h, ScalarType type) {
        if (site == null) {
            return cast(pass, h, type);
        }
        Tape tape = pass.tape();
        if (tape == null) {
            return RmsNorm.isOf(site) && pass.hooks().isFrozen(site) && !h.requires_grad()
                    ? RmsNorm.apply(site, h, type)
                    : Ops.to(pass.hooks().norm(site, h, pass), type);
        }
        Profiler.enter(site.layer(), () -> "norm");
        if (isFormula(pass, site, h)) {
            return tape.run(
                    () -> new Tensor[] {RmsNorm.apply(site, h, type)},
                    (gradient, kept) -> RmsNorm.backward(site, h, gradient));
        }
        return tape.run(() -> new Tensor[] {Ops.to(pass.hooks().norm(site, h, pass), type)})[0];
    }

    private static boolean isFormula(ForwardPass pass, Norm site, Tensor h) {
        return RmsNorm.isOf(site) && h.requires_grad() && pass.hooks().isFrozen(site);
    }

    /** Applies a linear layer to x {@code [batch, seq, in]}. */
    public static Tensor linear(ForwardPass pass, Linear site, Tensor x) {
        return linears(pass, x, site)[0];
    }

    /** Applies linear layers to the same x {@code [batch, seq, in]}. */
    public static Tensor[] linears(ForwardPass pass, Tensor x, Linear... sites) {
        if (isAttention(sites)) {
            pass.setAttentionInput(x);
        }
        Tape tape = pass.tape();
        if (tape == null) {
            Profiler.enter(sites[0].layer(), () -> operation(sites));
            return pass.hooks().linears(List.of(sites), x, pass);
        }
        FusedLinears fusedLinears = FusedLinears.of(pass.hooks(), sites);
        if (fusedLinears == null) {
            return Arrays.stream(sites).map(site -> alone(pass, tape, site, x)).toArray(Tensor[]::new);
        }
        Profiler.enter(sites[0].layer(), () -> operation(sites));
        return fusedLinears.run(tape, new FusedLinears.Plain(x));
    }

    /**
     * Applies linear layers to a norm of the residual stream h {@code [batch, seq, hidden]}; the backward pass recomputes the norm.
     */
    public static Tensor[] linears(ForwardPass pass, @Nullable Norm norm, Tensor h, ScalarType type, Linear... sites) {
        Tape tape = pass.tape();
        FusedLinears fusedLinears = tape == null ? null : FusedLinears.of(pass.hooks(), sites);
        boolean read = isAttention(sites) && pass.hooks().readsAttentionInput();
        if (tape == null || fusedLinears == null || norm == null || !isFormula(pass, norm, h) || read) {
            return linears(pass, norm(pass, norm, h, type), sites);
        }
        Profiler.enter(sites[0].layer(), () -> "norm, " + operation(sites));
        return fusedLinears.run(tape, new FusedLinears.Normed(norm, h, type));
    }

    private static String operation(Linear... sites) {
        return Arrays.stream(sites)
                .map(site -> site.role().name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
    }

    private static boolean isAttention(Linear... sites) {
        return sites[0].role() == Role.QUERY || sites[0].role() == Role.QUERY_KEY_VALUE;
    }

    private static Tensor alone(ForwardPass pass, Tape tape, Linear site, Tensor x) {
        Profiler.enter(site.layer(), () -> operation(site));
        if (site.isQuantized()) {
            // The graph of autograd would keep the whole matrix until the backward pass.
            return tape.checkpoint(same -> new Tensor[] {pass.hooks().linear(site, x, pass)})[0];
        }
        return tape.run(() -> new Tensor[] {pass.hooks().linear(site, x, pass)})[0];
    }

    /**
     * Applies the linear layer after an activation, to {@code activation(gate) ⊙ up}, or to {@code activation(gate)} if up is null.
     */
    public static Tensor downProjection(
            ForwardPass pass, Linear site, Activation activation, Tensor gate, @Nullable Tensor up) {
        Tape tape = pass.tape();
        FusedLinears fusedLinears = tape == null ? null : FusedLinears.of(pass.hooks(), site);
        if (tape == null || fusedLinears == null || !gate.requires_grad() || (up != null && !up.requires_grad())) {
            return linear(
                    pass, site, up == null ? activate(pass, activation, gate) : gated(pass, activation, gate, up));
        }
        Profiler.enter(site.layer(), () -> "activation, " + operation(site));
        return fusedLinears.run(tape, new FusedLinears.Gated(activation, gate, up))[0];
    }

    /** Applies a convolution to x {@code [batch, in, size...]}. */
    public static Tensor convolution(ForwardPass pass, Convolution site, Tensor x) {
        return pass.segment(() -> new Tensor[] {pass.hooks().convolution(site, x, pass)})[0];
    }

    /**
     * Returns x {@code [batch, seq, heads · headDim]} as {@code [batch, heads, seq, headDim]}, rotated by its positions if there are angles. On a
     * tape the values of x are freed.
     */
    public static Tensor splitHeads(ForwardPass pass, Tensor x, int heads, Rope.@Nullable Angles angles) {
        Tape tape = pass.tape();
        if (tape == null || !x.requires_grad()) {
            return turned(x, heads, angles);
        }
        Profiler.enter("heads");
        long[] shape = Tensors.shape(x);
        Tensor turned = tape.run(() -> new Tensor[] {turned(x.detach(), heads, angles)}, (gradient, kept) -> {
            Tensor back = angles == null ? gradient : angles.inverse().rotate(gradient);
            Tape.accumulate(x, back.transpose(1, 2).reshape(shape));
        });
        Tape.freeValues(x);
        return turned;
    }

    private static Tensor turned(Tensor x, int heads, Rope.@Nullable Angles angles) {
        Tensor split = x.view(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
        return angles == null ? split : angles.rotate(split);
    }

    /** Splits x {@code [batch, seq, Σ sizes]} into consecutive parts. */
    public static Tensor[] split(ForwardPass pass, Tensor x, long... sizes) {
        return pass.segment(() -> {
            Tensor[] parts = new Tensor[sizes.length];
            long start = 0;
            for (int i = 0; i < sizes.length; i++) {
                parts[i] = x.narrow(-1, start, sizes[i]);
                start += sizes[i];
            }
            return parts;
        });
    }

    /** Sets elements of x to zero with probability p, in training only. */
    public static Tensor dropout(ForwardPass pass, Tensor x, double p) {
        return pass.isTraining() && p > 0 ? pass.segment(() -> new Tensor[] {Dropout.apply(x, p, true)})[0] : x;
    }

    /** Returns {@code activation(x)}. */
    public static Tensor activate(ForwardPass pass, Activation activation, Tensor x) {
        Tape tape = pass.tape();
        if (tape == null || !x.requires_grad()) {
            return activated(pass, activation, x, null);
        }
        Profiler.enter("activation");
        return tape.run(
                () -> new Tensor[] {activation.gate(x, null)},
                (gradient, kept) -> Tape.accumulate(x, activation.gradients(x, null, gradient.clone())[0]));
    }

    /** Returns {@code activation(gate) ⊙ up}. */
    public static Tensor gated(ForwardPass pass, Activation activation, Tensor gate, Tensor up) {
        Tape tape = pass.tape();
        Profiler.enter("activation");
        if (tape == null || !(gate.requires_grad() && up.requires_grad())) {
            return tape == null
                    ? activated(pass, activation, gate, up)
                    : tape.run(() -> new Tensor[] {activation.apply(gate).mul(up)})[0];
        }
        return tape.run(() -> new Tensor[] {activation.gate(gate, up)}, (gradient, kept) -> {
            Tensor[] back = activation.gradients(gate, up, gradient.clone());
            Tape.accumulate(gate, back[0]);
            Tape.accumulate(up, back[1]);
        });
    }

    /**
     * {@code activation(x) ⊙ up} outside a tape. An activation may be made of several numbers at once, and of the last ones in another way: so texts
     * that may be those of several people have theirs made apart.
     */
    private static Tensor activated(ForwardPass pass, Activation activation, Tensor x, @Nullable Tensor up) {
        if (x.requires_grad() || (up != null && up.requires_grad())) {
            Tensor active = activation.apply(x);
            return up == null ? active : active.mul(up);
        }
        if (pass.ragged() == null || x.size(1) == 1) {
            return activation.gate(x, up);
        }
        Tensor[] rows = new Tensor[(int) x.size(0)];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = activation.gate(x.narrow(0, row, 1), up == null ? null : up.narrow(0, row, 1));
        }
        return Ops.cat(0, rows);
    }

    /**
     * Adds a block's output to the residual stream h {@code [batch, seq, hidden]}. On a tape the output's values are freed.
     */
    public static Tensor add(ForwardPass pass, Block site, Tensor h, Tensor output) {
        return Residual.add(site, h, output, pass.skipsBackward(site), pass);
    }

    /**
     * Adds the output of a block's last layer for x, with dropout, to the residual stream h {@code [batch, seq, hidden]}. Without dropout, and
     * with a wider stream, the output isn't rounded first.
     */
    public static Tensor add(ForwardPass pass, Block site, Tensor h, Linear last, Tensor x, double dropout) {
        FusedLinears fusedLinears = unroundedLayer(pass, site, h, last, x, dropout);
        return fusedLinears == null
                ? add(pass, site, h, dropout(pass, linear(pass, last, x), dropout))
                : fusedLinears.addTo(h, pass.tape(), new FusedLinears.Plain(x));
    }

    /**
     * Adds the result of {@link #downProjection}, or its dropout, to the residual stream h
     * {@code [batch, seq, hidden]}.
     */
    public static Tensor add(
            ForwardPass pass,
            Block site,
            Tensor h,
            Linear last,
            Activation activation,
            Tensor gate,
            @Nullable Tensor up,
            double dropout) {
        boolean alike = up == null || up.requires_grad() == gate.requires_grad();
        FusedLinears fusedLinears = alike ? unroundedLayer(pass, site, h, last, gate, dropout) : null;
        return fusedLinears == null
                ? add(pass, site, h, dropout(pass, downProjection(pass, last, activation, gate, up), dropout))
                : fusedLinears.addTo(h, pass.tape(), new FusedLinears.Gated(activation, gate, up));
    }

    /**
     * The layer with what acts on it, if what it gives for x may be added to h as it is: only where a loss is made of it, since a text that shares its pass
     * with others must not be given other bits where something acts on those.
     */
    private static @Nullable FusedLinears unroundedLayer(
            ForwardPass pass, Block site, Tensor h, Linear last, Tensor x, double dropout) {
        boolean wider = h.scalar_type().value == ScalarType.Float.value && Products.sumsInFp32(x);
        boolean past = pass.skipsBackward(site);
        boolean drops = pass.isTraining() && dropout > 0;
        boolean forgets = h.requires_grad() && !x.requires_grad();
        if (!pass.feedsLoss()
                || !wider
                || past
                || drops
                || forgets
                || !pass.hooks().isFrozen(site)) {
            return null;
        }
        FusedLinears fusedLinears = FusedLinears.of(pass.hooks(), last);
        boolean records = pass.tape() == null
                && GradMode.is_enabled()
                && (x.requires_grad() || fusedLinears != null && fusedLinears.trains());
        if (fusedLinears == null || records) {
            return null;
        }
        Profiler.enter(last.layer(), () -> operation(last));
        return fusedLinears;
    }

    /**
     * Returns whether the last layer may skip all positions but the first, after computing its keys and values. That
     * requires that no other position is read and no hook there looks from one position to another.
     *
     * @param sites the sites of the layer
     */
    public static boolean mayReadFirstOnly(ForwardPass pass, List<Site> sites) {
        return pass.readsFirstOnly()
                && !pass.collects()
                && pass.context().isOfTextsAlone()
                && !pass.isCached(sites.get(0).layer())
                && sites.stream().allMatch(pass.hooks()::isLocal);
    }

    /** Returns the first position of x {@code [batch, seq, width]}. */
    public static Tensor first(ForwardPass pass, Tensor x) {
        Tape tape = pass.tape();
        if (tape == null || !x.requires_grad()) {
            return x.narrow(1, 0, 1);
        }
        return tape.run(() -> new Tensor[] {x.narrow(1, 0, 1).contiguous()}, (gradient, kept) -> {
            Tensor whole = Tensors.zeros(x.scalar_type(), Tensors.shape(x));
            whole.narrow(1, 0, 1).copy_(gradient);
            Tape.accumulate(x, whole);
        });
    }

    /**
     * Returns the hidden states that enter the first layer, {@code [batch, prompt + seq, hidden]}; a prompt there lengthens the pass.
     */
    public static Tensor enterLayers(ForwardPass pass, Stream site, Tensor h) {
        if (pass.hooks().isFrozen(site)) {
            return h;
        }
        return pass.segment(() -> {
            Tensor entered = pass.hooks().stream(site, h, pass);
            SoftPrompt before = pass.hooks().prompt(site, h.size(0), pass);
            if (before == null) {
                return new Tensor[] {entered};
            }
            Tensor order = before.order(h.size(1));
            pass.context().insert(before, order);
            Tensor longer = Ops.cat(1, Ops.to(before.rows(), entered.scalar_type()), entered);
            return new Tensor[] {
                order == null ? longer : longer.gather(1, order.unsqueeze(-1).expand_as(longer))
            };
        })[0];
    }

    /** Returns the hidden states for the next layer, {@code [batch, seq, hidden]}. */
    public static Tensor leaveLayer(ForwardPass pass, Layer site, Tensor h) {
        return pass.hooks().isFrozen(site)
                ? h
                : pass.segment(() -> new Tensor[] {pass.hooks().layer(site, h, pass)})[0];
    }
}
