package dev.graft.models;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Prompt;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profile;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * One forward pass: which hooks act, what it sees ({@link Context}), what it collects, and the operations that models are written with. In
 * training those run on a tape, by formula where the gradient is known. Used by one thread, once.
 */
public final class Pass {
    private final Hooks hooks;
    private final boolean training;
    private final Context context;
    private final Pieces pieces;
    private final LoadBalance loadBalance;
    private final List<Auxiliary> auxiliaries = new ArrayList<>();
    private @Nullable Predicate<Block> passed;
    private @Nullable List<Tensor> hiddenStates;
    private @Nullable Tensor attentionInput;
    private boolean first;

    private Pass(Hooks hooks, boolean training, Context context, Pieces pieces) {
        this.hooks = hooks;
        this.training = training;
        this.context = context;
        this.pieces = pieces;
        loadBalance = new LoadBalance(context);
    }

    private static Pass of(
            Hooks hooks, boolean training, Pieces pieces, @Nullable KvCache cache, @Nullable Ragged ragged) {
        return new Pass(hooks, training, new Context(cache, ragged, pieces.notes()), pieces);
    }

    /** Inference: no dropout. */
    public static Pass inference(Hooks hooks) {
        return of(hooks, false, new Pieces(null, false), null, null);
    }

    /** What a {@link #training} pass gives, for a loss that is compared with its: no dropout, nothing to go backward. */
    public static Pass evaluation(Hooks hooks) {
        return of(hooks, false, new Pieces(null, true), null, null);
    }

    /** Inference that keeps and reuses keys and values. */
    public static Pass cached(Hooks hooks, KvCache cache) {
        return of(hooks, false, new Pieces(null, false), cache, null);
    }

    /**
     * As many tokens of each of several texts of different lengths, {@code [rows, seq]}. What mixes positions shows each row
     * its own, all else is done for the rows together.
     *
     * @param hooks what acts on the rows together
     * @param rows the pass of each row alone, {@link #cached} with what the row has read so far; null for rows without a text
     */
    public static Pass ragged(Hooks hooks, List<@Nullable Pass> rows) {
        return of(hooks, false, new Pieces(null, false), null, new Ragged(rows));
    }

    /** Training, with dropout. The gradient is in pieces: what a loss gives goes on with {@link #backward()}. */
    public static Pass training(Hooks hooks) {
        return of(hooks, true, new Pieces(new Tape(), true), null, null);
    }

    /**
     * The same pass with gradient checkpointing (Chen et al., 2016): of each layer only its input is kept, and the layer runs again in the
     * backward pass. The gradients are the same to the last bit, in fp64 but for rounding.
     */
    public Pass checkpointed() {
        return like(context, pieces.repeated());
    }

    /** Whether layers run again in the backward pass. */
    public boolean isCheckpointed() {
        return pieces.repeats();
    }

    /** The same pass of a network of one side, which takes the output of its first layers from here or gives it. */
    public Pass after(FrozenPrefix layers) {
        return like(context, pieces.after(layers));
    }

    /** The same pass, in whose backward pass the gradient goes past some blocks, along the residual stream alone. */
    public Pass passing(Predicate<Block> blocks) {
        Pass pass = like(context, pieces);
        pass.passed = blocks;
        return pass;
    }

    /** The same pass, collecting every layer's hidden states. */
    public Pass withHiddenStates() {
        Pass pass = like(context, pieces);
        pass.hiddenStates = new ArrayList<>();
        return pass;
    }

    private Pass like(Context itsContext, Pieces itsPieces) {
        Pass pass = new Pass(hooks, training, itsContext, itsPieces);
        pass.passed = passed;
        pass.hiddenStates = hiddenStates;
        return pass;
    }

    /** The pass of an encoder whose decoder this pass runs: a mask of its own, and no cache, since an encoder runs once. */
    public Pass encoder() {
        return like(new Context(null, null, pieces.notes()), pieces.after(null));
    }

    /** The same pass as some rows of its batch see it. */
    public Pass of(Tensor rows) {
        return new Pass(hooks, training, context.of(rows), pieces);
    }

    /**
     * The frozen model's own pass over what this pass reads, with a cache of its own where this one has a cache.
     *
     * @param wanted the rows of a ragged pass that it reads, too; all rows of another
     */
    public Pass frozen(Backbone model, IntPredicate wanted) {
        return beside(model, Hooks.NONE, wanted, false);
    }

    /**
     * The pass of a network that is trained beside the model over what this pass reads, with a cache of its own where this one has a cache.
     *
     * @param itsHooks what acts in the network
     * @param wanted the rows of a ragged pass that it reads, too; all rows of another
     */
    public Pass beside(Backbone network, Hooks itsHooks, IntPredicate wanted) {
        return beside(network, itsHooks, wanted, true);
    }

    /** @param learns whether the network is part of what this pass trains */
    private Pass beside(Backbone network, Hooks itsHooks, IntPredicate wanted, boolean learns) {
        KvCache cache = context.cache();
        Ragged ragged = context.ragged();
        if (cache != null) {
            return cached(itsHooks, cache.beside(network));
        }
        return ragged != null
                ? ragged(itsHooks, ragged.each(wanted, own -> own.beside(network, itsHooks, wanted, learns)))
                : of(itsHooks, learns && training, pieces.beside(learns), null, null);
    }

    public Hooks hooks() {
        return hooks;
    }

    public boolean isTraining() {
        return training;
    }

    /** What it sees. */
    public Context context() {
        return context;
    }

    @Nullable
    Tape tape() {
        return pieces.tape();
    }

    /** Has a loss count, beside the answer for the last hidden states, that for others. */
    public void auxiliary(Auxiliary auxiliary) {
        auxiliaries.add(auxiliary);
    }

    /** What a loss counts beside the answer for the last hidden states. */
    public List<Auxiliary> auxiliaries() {
        return List.copyOf(auxiliaries);
    }

    /**
     * Keeps how a mixture of experts spread the batch, for the loss that balances them.
     *
     * @throws InputException with gradient checkpointing: the loss would keep what a layer makes
     */
    public void route(Routing routing) {
        if (pieces.repeats()) {
            throw new InputException(
                    "gradient_checkpointing runs layers again in the backward pass, but the load-balance"
                            + " loss of this mixture of experts needs what their routers gave; leave it out");
        }
        loadBalance.add(routing);
    }

    /** How the mixtures of experts passed so far spread the batch. */
    public LoadBalance loadBalance() {
        return loadBalance;
    }

    /** Keeps a layer's output if the pass collects them. */
    public void collect(Tensor hidden) {
        if (hiddenStates != null) {
            hiddenStates.add(hidden);
        }
    }

    List<Tensor> collected() {
        return hiddenStates == null ? List.of() : List.copyOf(hiddenStates);
    }

    /** Ends the pass: what it has read is kept where there is a cache. */
    public void end(AttentionMask read) {
        context.end(read);
    }

    /** The result of a backbone. */
    public Hidden result(Tensor last) {
        return new Hidden(last, context.mask(), context.prompt(), context.begins(), collected(), null);
    }

    /** The result of a dual encoder. */
    public Hidden result(Tensor texts, Tensor images) {
        return new Hidden(texts, context.mask(), 0, null, collected(), images);
    }

    /** Lets what a head may ask of a pass of inference outlive a scope; what its layers gave does not. */
    public void keep(Scope scope) {
        context.keep(scope);
        attentionInput = null;
    }

    /** After the backward pass of a loss: carries the gradient on from the last layer to the trained parameters. */
    public void backward() {
        pieces.backward();
    }

    /** Runs a piece of the network; what it makes on the way is freed, but for what it notes. */
    public Tensor[] piece(Tape.Forward forward) {
        return pieces.run(forward);
    }

    /** Runs a layer; without a tape, or where it runs again in the backward pass, what it makes on the way is freed. */
    public Tensor layer(Supplier<Tensor> body) {
        return pieces.layer(body);
    }

    /**
     * Runs layers one after the other on h {@code [batch, seq, hidden]}, and collects what goes into each.
     *
     * @param run gives what a layer makes of its input
     */
    public <L> Tensor layers(List<L> layers, Tensor h, BiFunction<L, Tensor, Tensor> run) {
        Tensor x = h;
        for (L layer : layers) {
            Tensor input = x;
            collect(input);
            x = layer(() -> run.apply(layer, input));
        }
        return x;
    }

    /**
     * The same of a step of texts that are written together, which may be a repetition of one before ({@link RepeatedLayers}).
     *
     * @param masks who sees whom in the layers
     * @param given all else that is made for the pass and read in the layers
     */
    public <L> Tensor layers(
            List<L> layers,
            Tensor h,
            Collection<AttentionMask> masks,
            List<Tensor> given,
            BiFunction<L, Tensor, Tensor> run) {
        Ragged ragged = context.ragged();
        KvTile.Step step = ragged == null ? null : ragged.step();
        Object way = step == null || hiddenStates != null ? null : hooks.repeatable();
        if (step == null || way == null || !masks.stream().allMatch(AttentionMask::showsAll)) {
            return layers(layers, h, run);
        }
        List<Tensor> all = new ArrayList<>(given);
        all.add(h);
        return step.repeated(layers, List.of(way, all.size()), all, () -> layers(layers, h, run));
    }

    /** x in another type. */
    public Tensor cast(Tensor x, ScalarType type) {
        Tape tape = tape();
        if (tape == null || !x.requires_grad() || x.scalar_type().value == type.value) {
            return Ops.to(x, type);
        }
        Profile.at("cast");
        return tape.run(() -> new Tensor[] {Ops.to(x, type)}, (gradient, kept) -> Tape.accumulate(x, gradient));
    }

    /** A norm of the residual stream {@code [batch, seq, hidden]}, or of queries or keys, in another type; no norm where the site is null. */
    public Tensor norm(@Nullable Norm site, Tensor h, ScalarType type) {
        if (site == null) {
            return cast(h, type);
        }
        Tape tape = tape();
        if (tape == null) {
            return RmsNorm.isOf(site) && hooks.isFrozen(site) && !h.requires_grad()
                    ? RmsNorm.apply(site, h, type)
                    : Ops.to(hooks.norm(site, h, this), type);
        }
        Profile.at(site.layer(), () -> "norm");
        if (isFormula(site, h)) {
            return tape.run(
                    () -> new Tensor[] {RmsNorm.apply(site, h, type)},
                    (gradient, kept) -> RmsNorm.backward(site, h, gradient));
        }
        return tape.run(() -> new Tensor[] {Ops.to(hooks.norm(site, h, this), type)})[0];
    }

    private boolean isFormula(Norm site, Tensor h) {
        return RmsNorm.isOf(site) && h.requires_grad() && hooks.isFrozen(site);
    }

    /** A linear layer on x {@code [batch, seq, in]}. */
    public Tensor linear(Linear site, Tensor x) {
        return linears(x, site)[0];
    }

    /** Linear layers on the same x {@code [batch, seq, in]}. */
    public Tensor[] linears(Tensor x, Linear... sites) {
        if (isAttention(sites)) {
            attentionInput = x;
        }
        Tape tape = tape();
        if (tape == null) {
            Profile.at(sites[0].layer(), () -> operation(sites));
            return hooks.linears(List.of(sites), x, this);
        }
        Joint joint = Joint.of(hooks, sites);
        if (joint == null) {
            return Arrays.stream(sites).map(site -> alone(tape, site, x)).toArray(Tensor[]::new);
        }
        Profile.at(sites[0].layer(), () -> operation(sites));
        return joint.run(tape, new Joint.Plain(x));
    }

    /** Linear layers on a norm of the residual stream h {@code [batch, seq, hidden]}; the norm's output is made again in the backward pass. */
    public Tensor[] linears(@Nullable Norm norm, Tensor h, ScalarType type, Linear... sites) {
        Tape tape = tape();
        Joint joint = tape == null ? null : Joint.of(hooks, sites);
        boolean read = isAttention(sites) && hooks.readAttentionInput();
        if (tape == null || joint == null || norm == null || !isFormula(norm, h) || read) {
            return linears(norm(norm, h, type), sites);
        }
        Profile.at(sites[0].layer(), () -> "norm, " + operation(sites));
        return joint.run(tape, new Joint.Normed(norm, h, type));
    }

    private static String operation(Linear... sites) {
        return Arrays.stream(sites)
                .map(site -> site.role().name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
    }

    private static boolean isAttention(Linear... sites) {
        return sites[0].role() == Role.QUERY || sites[0].role() == Role.QUERY_KEY_VALUE;
    }

    private Tensor alone(Tape tape, Linear site, Tensor x) {
        Profile.at(site.layer(), () -> operation(site));
        if (site.isQuantized()) {
            // The graph of autograd would keep the whole matrix until the backward pass.
            return tape.again(same -> new Tensor[] {hooks.linear(site, x, this)})[0];
        }
        return tape.run(() -> new Tensor[] {hooks.linear(site, x, this)})[0];
    }

    /** The linear layer after an activation: of {@code activation(gate) ⊙ up}, or of {@code activation(gate)} where up is null. */
    public Tensor down(Linear site, Activation activation, Tensor gate, @Nullable Tensor up) {
        Tape tape = tape();
        Joint joint = tape == null ? null : Joint.of(hooks, site);
        if (tape == null || joint == null || !gate.requires_grad() || (up != null && !up.requires_grad())) {
            return linear(site, up == null ? activate(activation, gate) : gated(activation, gate, up));
        }
        Profile.at(site.layer(), () -> "activation, " + operation(site));
        return joint.run(tape, new Joint.Gated(activation, gate, up))[0];
    }

    /** A convolution of x {@code [batch, in, size...]}. */
    public Tensor convolution(Convolution site, Tensor x) {
        return piece(() -> new Tensor[] {hooks.convolution(site, x, this)})[0];
    }

    /**
     * x {@code [batch, seq, heads · headDim]} as {@code [batch, heads, seq, headDim]}, turned by its positions if it has angles. On a tape
     * the values of x are gone afterwards.
     */
    public Tensor heads(Tensor x, int heads, Rope.@Nullable Angles angles) {
        Tape tape = tape();
        if (tape == null || !x.requires_grad()) {
            return turned(x, heads, angles);
        }
        Profile.at("heads");
        long[] shape = Tensors.shape(x);
        Tensor turned = tape.run(() -> new Tensor[] {turned(x.detach(), heads, angles)}, (gradient, kept) -> {
            Tensor back = angles == null ? gradient : angles.inverse().rotate(gradient);
            Tape.accumulate(x, back.transpose(1, 2).reshape(shape));
        });
        Tape.forget(x);
        return turned;
    }

    private static Tensor turned(Tensor x, int heads, Rope.@Nullable Angles angles) {
        Tensor split = x.view(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
        return angles == null ? split : angles.rotate(split);
    }

    /** x {@code [batch, seq, Σ sizes]} in parts, one after another. */
    public Tensor[] split(Tensor x, long... sizes) {
        return piece(() -> {
            Tensor[] parts = new Tensor[sizes.length];
            long start = 0;
            for (int i = 0; i < sizes.length; i++) {
                parts[i] = x.narrow(-1, start, sizes[i]);
                start += sizes[i];
            }
            return parts;
        });
    }

    /** x with elements set to zero with probability p, in training only. */
    public Tensor dropout(Tensor x, double p) {
        return training && p > 0 ? piece(() -> new Tensor[] {Ops.dropout(x, p, true)})[0] : x;
    }

    /** {@code activation(x)}. */
    public Tensor activate(Activation activation, Tensor x) {
        Tape tape = tape();
        if (tape == null || !x.requires_grad()) {
            return activated(activation, x, null);
        }
        Profile.at("activation");
        return tape.run(
                () -> new Tensor[] {activation.gate(x, null)},
                (gradient, kept) -> Tape.accumulate(x, activation.gradients(x, null, gradient.clone())[0]));
    }

    /** {@code activation(gate) ⊙ up}. */
    public Tensor gated(Activation activation, Tensor gate, Tensor up) {
        Tape tape = tape();
        Profile.at("activation");
        if (tape == null || !(gate.requires_grad() && up.requires_grad())) {
            return tape == null
                    ? activated(activation, gate, up)
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
    private Tensor activated(Activation activation, Tensor x, @Nullable Tensor up) {
        if (x.requires_grad() || (up != null && up.requires_grad())) {
            Tensor active = activation.apply(x);
            return up == null ? active : active.mul(up);
        }
        if (context.ragged() == null || x.size(1) == 1) {
            return activation.gate(x, up);
        }
        Tensor[] rows = new Tensor[(int) x.size(0)];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = activation.gate(x.narrow(0, row, 1), up == null ? null : up.narrow(0, row, 1));
        }
        return Ops.cat(0, rows);
    }

    /** The residual stream h {@code [batch, seq, hidden]} with a block's output added. On a tape the output's values are gone afterwards. */
    public Tensor add(Block site, Tensor h, Tensor output) {
        return Residual.add(site, h, output, passed != null && passed.test(site), this);
    }

    /**
     * The residual stream h {@code [batch, seq, hidden]} with what a block's last layer gives for x, or its dropout; where the stream is wider and nothing
     * drops that isn't rounded before.
     */
    public Tensor add(Block site, Tensor h, Linear last, Tensor x, double dropout) {
        Joint joint = unrounded(site, h, last, x, dropout);
        return joint == null
                ? add(site, h, dropout(linear(last, x), dropout))
                : joint.addedTo(h, tape(), new Joint.Plain(x));
    }

    /** The same of {@link #down}. */
    public Tensor add(
            Block site,
            Tensor h,
            Linear last,
            Activation activation,
            Tensor gate,
            @Nullable Tensor up,
            double dropout) {
        boolean alike = up == null || up.requires_grad() == gate.requires_grad();
        Joint joint = alike ? unrounded(site, h, last, gate, dropout) : null;
        return joint == null
                ? add(site, h, dropout(down(last, activation, gate, up), dropout))
                : joint.addedTo(h, tape(), new Joint.Gated(activation, gate, up));
    }

    /**
     * The layer with what acts on it, if what it gives for x may be added to h as it is: only where a loss is made of it, since a text that shares its pass
     * with others must not be given other bits where something acts on those.
     */
    private @Nullable Joint unrounded(Block site, Tensor h, Linear last, Tensor x, double dropout) {
        boolean wider = h.scalar_type().value == ScalarType.Float.value && Ops.sumsInFp32(x);
        boolean past = passed != null && passed.test(site);
        boolean drops = training && dropout > 0;
        boolean forgets = h.requires_grad() && !x.requires_grad();
        if (!pieces.scores() || !wider || past || drops || forgets || !hooks.isFrozen(site)) {
            return null;
        }
        Joint joint = Joint.of(hooks, last);
        boolean records =
                tape() == null && GradMode.is_enabled() && (x.requires_grad() || joint != null && joint.trains());
        if (joint == null || records) {
            return null;
        }
        Profile.at(last.layer(), () -> operation(last));
        return joint;
    }

    /** Says that of the last hidden states only those of the first positions are read. */
    void readFirst() {
        first = true;
    }

    /**
     * Whether the last layer may leave all positions but the first out, behind its keys and values: no other is read, and nothing looks from one to
     * another there.
     *
     * @param sites of the layer
     */
    public boolean readsFirst(List<Site> sites) {
        return first
                && hiddenStates == null
                && context.isOfTextsAlone()
                && !pieces.knows(sites.get(0).layer())
                && sites.stream().allMatch(hooks::isLocal);
    }

    /** The first position of x {@code [batch, seq, width]}. */
    public Tensor first(Tensor x) {
        Tape tape = tape();
        if (tape == null || !x.requires_grad()) {
            return x.narrow(1, 0, 1);
        }
        return tape.run(() -> new Tensor[] {x.narrow(1, 0, 1).contiguous()}, (gradient, kept) -> {
            Tensor whole = Tensors.zeros(x.scalar_type(), Tensors.shape(x));
            whole.narrow(1, 0, 1).copy_(gradient);
            Tape.accumulate(x, whole);
        });
    }

    /** The hidden states that enter the first layer; a prompt there makes the pass longer. */
    public Tensor enter(Stream site, Tensor h) {
        if (hooks.isFrozen(site)) {
            return h;
        }
        return piece(() -> {
            Tensor entered = hooks.stream(site, h, this);
            Prompt before = hooks.prompt(site, h.size(0), this);
            if (before == null) {
                return new Tensor[] {entered};
            }
            Tensor order = before.order(h.size(1));
            context.insert(before, order);
            Tensor longer = Ops.cat(1, Ops.to(before.rows(), entered.scalar_type()), entered);
            return new Tensor[] {
                order == null ? longer : longer.gather(1, order.unsqueeze(-1).expand_as(longer))
            };
        })[0];
    }

    /** The hidden states that go to the next layer. */
    public Tensor leave(Layer site, Tensor h) {
        return hooks.isFrozen(site) ? h : piece(() -> new Tensor[] {hooks.layer(site, h, this)})[0];
    }

    /** What the attention layer that runs now is given, {@code [batch, seq, hidden]}. */
    public Tensor attentionInput() {
        if (attentionInput == null) {
            throw new IllegalStateException("the input of an attention layer is known only after its queries");
        }
        return attentionInput;
    }
}
