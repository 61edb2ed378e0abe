package dev.graft.models;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Explicit;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Prompt;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profile;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** One forward pass: which hooks act, whether it trains, and what it collects. Used by one thread, once. */
public final class Pass {
    private final Hooks hooks;
    private final boolean training;
    private final @Nullable KvCache cache;
    private final @Nullable List<Tensor> hiddenStates;
    private @Nullable Tensor mask;
    private @Nullable Tensor segments;
    private @Nullable Tensor tokens;
    private @Nullable Tensor rows;
    private @Nullable Tensor attentionInput;
    private long prompt;

    /** Where each row begins, where prompts come behind texts' first positions. */
    private long @Nullable [] begins;

    private PromptTargets promptTargets = PromptTargets.none(0);

    private @Nullable Tape tape;
    private boolean repeats;
    private @Nullable Predicate<Block> passed;
    private @Nullable FrozenPrefix prefix;
    private @Nullable Tensor known;
    private int layersRun;
    private long dropoutAtStart;
    private final List<Routing> routings = new ArrayList<>();
    private @Nullable Ragged ragged;
    private final List<Auxiliary> auxiliaries = new ArrayList<>();
    private Notes notes = new Notes();

    private Pass(
            Hooks hooks,
            boolean training,
            @Nullable KvCache cache,
            @Nullable List<Tensor> hiddenStates,
            @Nullable Tape tape) {
        this.tape = tape;
        this.hooks = hooks;
        this.training = training;
        this.cache = cache;
        this.hiddenStates = hiddenStates;
    }

    /** Inference: no dropout. */
    public static Pass inference(Hooks hooks) {
        return new Pass(hooks, false, null, null, null);
    }

    /** Training, with dropout. The gradient is in pieces: what a loss gives goes on with {@link #backward()}. */
    public static Pass training(Hooks hooks) {
        return new Pass(hooks, true, null, null, new Tape());
    }

    /**
     * The same pass with gradient checkpointing (Chen et al., 2016): of each layer only its input is kept, and the layer runs again in the
     * backward pass. The gradients are the same to the last bit.
     */
    public Pass checkpointed() {
        Pass pass = like(cache, hiddenStates);
        pass.repeats = true;
        return pass;
    }

    /** Whether layers run again in the backward pass. */
    public boolean isCheckpointed() {
        return repeats;
    }

    /** The same pass, in whose backward pass the gradient goes past some blocks, along the residual stream alone. */
    public Pass passing(Predicate<Block> blocks) {
        Pass pass = like(cache, hiddenStates);
        pass.passed = blocks;
        return pass;
    }

    /** The same pass of a network of one side, which takes the output of its first layers from here or gives it. */
    public Pass after(FrozenPrefix layers) {
        Pass pass = like(cache, hiddenStates);
        pass.prefix = layers;
        pass.known = layers.known();
        pass.dropoutAtStart = Dropout.state();
        return pass;
    }

    /** Inference that keeps and reuses keys and values. */
    public static Pass cached(Hooks hooks, KvCache cache) {
        return new Pass(hooks, false, cache, null, null);
    }

    /**
     * One token of each of several texts of different lengths, {@code [rows, 1]}. What mixes positions shows each row
     * its own, all else is done for the rows together.
     *
     * @param hooks what acts on the rows together
     * @param rows the pass of each row alone, {@link #cached} with what the row has read so far; null for rows without a text
     */
    public static Pass ragged(Hooks hooks, List<@Nullable Pass> rows) {
        Pass pass = new Pass(hooks, false, null, null, null);
        pass.ragged = new Ragged(rows);
        return pass;
    }

    /** What the rows of a pass of {@link #ragged(Hooks, List)} do by themselves; null for another pass. */
    public @Nullable Ragged ragged() {
        return ragged;
    }

    /** Tells the passes of a ragged pass's rows what each sees, and where each writes. */
    void shareOut(ScalarType type) {
        if (ragged != null && tokens != null) {
            ragged.shareOut(tokens, mask(), promptTargets, type);
        }
    }

    /**
     * The frozen model's own pass over what this pass reads, with a cache of its own where this one has a cache.
     *
     * @param wanted the rows of a ragged pass that it reads, too; all rows of another
     */
    public Pass frozen(Backbone model, IntPredicate wanted) {
        return new Beside(model, Hooks.NONE, false).pass(this, wanted);
    }

    /**
     * The pass of a network that is trained beside the model over what this pass reads, with a cache of its own where this one has a cache.
     *
     * @param itsHooks what acts in the network
     * @param wanted the rows of a ragged pass that it reads, too; all rows of another
     */
    public Pass beside(Backbone network, Hooks itsHooks, IntPredicate wanted) {
        return new Beside(network, itsHooks, true).pass(this, wanted);
    }

    /** @param learns whether it is part of what this pass trains */
    private record Beside(Backbone network, Hooks hooks, boolean learns) {
        Pass pass(Pass main, IntPredicate wanted) {
            if (main.cache != null) {
                return cached(hooks, main.cache.beside(network));
            }
            if (main.ragged != null) {
                return Pass.ragged(hooks, main.ragged.each(wanted, own -> pass(own, wanted)));
            }
            Pass pass = new Pass(hooks, learns && main.training, null, null, learns ? main.tape : null);
            pass.repeats = main.repeats;
            return pass;
        }
    }

    /** Leaves something for the sites of this pass, a row for each of the batch that it sees. */
    public void note(Object key, Tensor value) {
        notes.put(key, value, rows, rows == null || mask == null ? 0 : mask.size(0));
    }

    /** What was left under a key for the rows that this pass sees. */
    public Tensor noted(Object key) {
        return notes.get(key, rows);
    }

    /** Has a loss count, beside the answer for the last hidden states, that for others. */
    public void auxiliary(Auxiliary auxiliary) {
        auxiliaries.add(auxiliary);
    }

    /** What a loss counts beside the answer for the last hidden states. */
    public List<Auxiliary> auxiliaries() {
        return List.copyOf(auxiliaries);
    }

    /** Whether earlier passes have read the beginnings of the texts. */
    public boolean continues() {
        return ragged != null || (cache != null && cache.length() > 0);
    }

    /** Ends the pass: what it has read is kept where there is a cache. */
    public void end(AttentionMask read) {
        if (cache != null) {
            cache.advance(read.keys());
        }
        if (ragged != null) {
            ragged.end(read.rows());
        }
    }

    /** How many positions that aren't padding earlier passes have read, {@code [batch, 1]} int64; null for none. */
    public @Nullable Tensor earlier() {
        if (ragged != null) {
            return ragged.earlier();
        }
        Tensor seen = cache == null ? null : cache.mask();
        return seen == null ? null : Ops.sum(seen, 1, true);
    }

    /** The same pass, collecting every layer's hidden states. */
    public Pass withHiddenStates() {
        return like(cache, new ArrayList<>());
    }

    private Pass like(@Nullable KvCache itsCache, @Nullable List<Tensor> itsHiddenStates) {
        Pass pass = new Pass(hooks, training, itsCache, itsHiddenStates, tape);
        pass.repeats = repeats;
        pass.passed = passed;
        pass.notes = notes;
        return pass;
    }

    /** The pass of an encoder whose decoder this pass runs: a mask of its own, and no cache, since an encoder runs once. */
    public Pass encoder() {
        return like(null, hiddenStates);
    }

    public Hooks hooks() {
        return hooks;
    }

    public boolean isTraining() {
        return training;
    }

    public @Nullable KvCache cache() {
        return cache;
    }

    @Nullable
    Tape tape() {
        return tape;
    }

    /** Runs a piece of the network; what it makes on the way is freed, but for the mask if the piece sets it and for its notes. */
    public Tensor[] piece(Tape.Forward forward) {
        Profile.at("other");
        Tensor known = mask;
        Tape.Forward withMask = () -> {
            Tensor[] outputs = forward.run();
            if (mask == null || mask == known) {
                return outputs;
            }
            Tensor[] more = Arrays.copyOf(outputs, outputs.length + 1);
            more[outputs.length] = mask;
            return more;
        };
        Tensor[] outputs = notes.outputs(withMask, piece -> tape == null ? untaped(piece) : tape.run(piece));
        if (mask != known) {
            mask = outputs[outputs.length - 1];
        }
        return outputs;
    }

    private static Tensor[] untaped(Tape.Forward forward) {
        try (Scope scope = new Scope()) {
            Tensor[] outputs = forward.run();
            for (int i = 0; i < outputs.length; i++) {
                // A handle of its own: an output may be a tensor that somebody else's scope will free.
                outputs[i] = scope.keep(new Tensor(outputs[i]));
            }
            return outputs;
        }
    }

    /** Runs a layer; without a tape, or where it runs again in the backward pass, what it makes on the way is freed. */
    public Tensor layer(Supplier<Tensor> body) {
        if (tape == null) {
            return notes.outputs(() -> new Tensor[] {body.get()}, Pass::untaped)[0];
        }
        int index = layersRun++;
        if (prefix == null || index >= prefix.layers()) {
            return recorded(body);
        }
        if (known != null) {
            return known;
        }
        Tensor output = recorded(body);
        if (index == prefix.layers() - 1) {
            if (Dropout.state() != dropoutAtStart) {
                throw new InputException(
                        "cache_frozen_layers keeps what the lower layers give, but this model drops some of"
                                + " it at random while it trains; set hidden_dropout and attention_dropout to 0, or leave it out");
            }
            prefix.learn(output);
        }
        return output;
    }

    private Tensor recorded(Supplier<Tensor> body) {
        Profile.at("other");
        Tape whole = tape;
        return repeats && whole != null
                ? notes.outputs(() -> new Tensor[] {body.get()}, part -> whole.again(own -> on(own, part)))[0]
                : body.get();
    }

    private Tensor[] on(Tape other, Tape.Forward part) {
        Tape whole = tape;
        tape = other;
        try {
            return part.run();
        } finally {
            tape = whole;
        }
    }

    /** x in another type. */
    public Tensor cast(Tensor x, ScalarType type) {
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
        if (tape == null) {
            return Ops.to(hooks.norm(site, h, this), type);
        }
        Profile.at(site.layer(), () -> "norm");
        if (isFormula(site, h)) {
            return tape.run(
                    () -> RmsNorm.forward(site, h, type),
                    (gradient, kept) -> RmsNorm.backward(site, h, kept.get(0), gradient));
        }
        return tape.run(() -> new Tensor[] {Ops.to(hooks.norm(site, h, this), type)})[0];
    }

    private boolean isFormula(Norm site, Tensor h) {
        return site.kind() != Norm.Kind.LAYER && h.requires_grad() && hooks.isFrozen(site);
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
        if (tape == null) {
            Profile.at(sites[0].layer(), () -> operation(sites));
            return hooks.linears(List.of(sites), x, this);
        }
        List<Explicit> layers = explicit(sites);
        if (layers == null) {
            return Arrays.stream(sites).map(site -> alone(tape, site, x)).toArray(Tensor[]::new);
        }
        Profile.at(sites[0].layer(), () -> operation(sites));
        boolean wanted = x.requires_grad();
        if (!wanted && layers.stream().noneMatch(Explicit::trains)) {
            return tape.run(() -> Joint.forward(layers, x).toArray(Tensor[]::new));
        }
        return tape.run(sites.length, () -> Joint.forward(layers, x).toArray(Tensor[]::new), (gradients, kept) -> {
            Tensor dx = Joint.backward(layers, x, gradients, kept, wanted);
            if (dx != null) {
                Tape.accumulate(x, dx);
            }
        });
    }

    /** Linear layers on a norm of the residual stream h {@code [batch, seq, hidden]}; the norm's output is made again in the backward pass. */
    public Tensor[] linears(@Nullable Norm norm, Tensor h, ScalarType type, Linear... sites) {
        List<Explicit> layers = explicit(sites);
        boolean read = isAttention(sites) && hooks.readAttentionInput();
        if (tape == null || layers == null || norm == null || !isFormula(norm, h) || read) {
            return linears(norm(norm, h, type), sites);
        }
        Profile.at(sites[0].layer(), () -> "norm, " + operation(sites));
        return tape.run(
                sites.length,
                () -> {
                    Tensor[] normed = RmsNorm.forward(norm, h, type);
                    List<Tensor> results = Joint.forward(layers, normed[0]);
                    results.add(normed[1]);
                    return results.toArray(Tensor[]::new);
                },
                (gradients, kept) -> {
                    int last = kept.size() - 1;
                    Tensor r = kept.get(last);
                    Tensor x = RmsNorm.apply(norm, h, r, type);
                    Tensor dx = Joint.backward(layers, x, gradients, kept.subList(0, last), true);
                    if (dx != null) {
                        RmsNorm.backward(norm, h, r, dx);
                    }
                });
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

    /** The layers with their gradients by formula, or null where one has none. */
    private @Nullable List<Explicit> explicit(Linear... sites) {
        List<Explicit> layers = new ArrayList<>();
        for (Linear site : sites) {
            Affine layer = hooks.affine(site);
            Explicit explicit = layer == null ? null : layer.explicit();
            if (explicit == null) {
                return null;
            }
            layers.add(explicit);
        }
        return layers;
    }

    /** The linear layer after an activation: of {@code activation(gate) ⊙ up}, or of {@code activation(gate)} where up is null. */
    public Tensor down(Linear site, Activation activation, Tensor gate, @Nullable Tensor up) {
        List<Explicit> layers = explicit(site);
        if (tape == null || layers == null || !gate.requires_grad() || (up != null && !up.requires_grad())) {
            return linear(site, up == null ? activate(activation, gate) : gated(activation, gate, up));
        }
        Profile.at(site.layer(), () -> "activation, " + operation(site));
        return tape.run(
                        1,
                        () -> {
                            Tensor x = activation.apply(gate);
                            return Joint.forward(layers, up == null ? x : x.mul_(up))
                                    .toArray(Tensor[]::new);
                        },
                        (gradients, kept) -> {
                            Tensor active = activation.apply(gate);
                            Tensor x = up == null ? active : active.mul(up);
                            Tensor dx = Joint.backward(layers, x, gradients, kept, true);
                            if (dx == null) {
                                return;
                            }
                            if (up != null) {
                                Tape.accumulate(up, active.mul_(dx));
                                dx.mul_(up);
                            }
                            Tape.accumulate(gate, activation.gradient(gate, dx));
                        })[0];
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
        if (tape == null || !x.requires_grad()) {
            return turned(x, heads, angles);
        }
        Profile.at("heads");
        long[] shape = Tensors.shape(x);
        Tensor turned = tape.run(() -> new Tensor[] {turned(x, heads, angles)}, (gradient, kept) -> {
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
        if (tape == null || !x.requires_grad()) {
            return activation.apply(x);
        }
        Profile.at("activation");
        return tape.run(
                () -> new Tensor[] {activation.apply(x)},
                (gradient, kept) -> Tape.accumulate(x, activation.gradient(x, gradient)));
    }

    /** {@code activation(gate) ⊙ up}. */
    public Tensor gated(Activation activation, Tensor gate, Tensor up) {
        Profile.at("activation");
        if (tape == null || !(gate.requires_grad() && up.requires_grad())) {
            return tape == null
                    ? activation.apply(gate).mul(up)
                    : tape.run(() -> new Tensor[] {activation.apply(gate).mul(up)})[0];
        }
        return tape.run(() -> new Tensor[] {activation.apply(gate).mul(up)}, (gradient, kept) -> {
            Tape.accumulate(gate, activation.gradient(gate, gradient.mul(up)));
            Tape.accumulate(up, activation.apply(gate).mul_(gradient));
        });
    }

    /** The residual stream h {@code [batch, seq, hidden]} with a block's output added. On a tape the output's values are gone afterwards. */
    public Tensor add(Block site, Tensor h, Tensor output) {
        if (tape == null) {
            return h.add(hooks.block(site, h, output, this));
        }
        Profile.at(site.layer(), () -> "residual");
        if (passed != null && passed.test(site)) {
            return past(site, h, output);
        }
        if (!hooks.isFrozen(site) || !h.requires_grad() || !output.requires_grad()) {
            return tape.run(() -> new Tensor[] {h.add(hooks.block(site, h, output, this))})[0];
        }
        boolean same = output.scalar_type().value == h.scalar_type().value;
        Tensor sum = tape.run(
                () -> new Tensor[] {
                    same ? h.add(output) : Ops.to(output, h.scalar_type()).add_(h)
                },
                (gradient, kept) -> {
                    Tape.accumulate(output, same ? gradient.clone() : gradient);
                    Tape.accumulate(h, gradient);
                });
        Tape.forget(output);
        return sum;
    }

    private Tensor past(Block site, Tensor h, Tensor output) {
        Tape.Forward forward = () -> {
            try (NoGrad off = new NoGrad()) {
                return new Tensor[] {h.add(hooks.block(site, h, output, this))};
            }
        };
        return h.requires_grad() && tape != null
                ? tape.run(forward, (gradient, kept) -> Tape.accumulate(h, gradient))
                : piece(forward)[0];
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
            mask = Ops.cat(1, before.mask(), mask());
            prompt += before.length();
            promptTargets = PromptTargets.none(Math.toIntExact(h.size(0) * prompt));
            Tensor longer = Ops.cat(1, Ops.to(before.rows(), entered.scalar_type()), entered);
            Tensor order = before.order(h.size(1));
            if (order == null) {
                return new Tensor[] {longer};
            }
            begins = Tensors.longs(before.missing());
            mask = mask.gather(1, order);
            return new Tensor[] {longer.gather(1, order.unsqueeze(-1).expand_as(longer))};
        })[0];
    }

    /** The hidden states that go to the next layer. */
    public Tensor leave(Layer site, Tensor h) {
        return hooks.isFrozen(site) ? h : piece(() -> new Tensor[] {hooks.layer(site, h, this)})[0];
    }

    /** After the backward pass of a loss: carries the gradient on from the last layer to the trained parameters. */
    public void backward() {
        if (tape == null) {
            throw new IllegalStateException("only a training pass goes backward");
        }
        tape.backward();
    }

    /** 1 for what the pass sees and 0 for padding, {@code [batch, prompt + seq]}; set when the embeddings are made. */
    public Tensor mask() {
        if (mask == null) {
            throw new IllegalStateException("the mask is known only after the embeddings");
        }
        return rows == null ? mask : mask.index_select(0, rows);
    }

    /**
     * The tokens so far, those in a cache before those of this pass, {@code [batch, seen]} int64; -1 for rows of a prompt. The last ones
     * belong to the positions of this pass.
     */
    public Tensor tokens() {
        if (tokens == null) {
            throw new IllegalStateException("the tokens are known only after the embeddings");
        }
        Tensor all = ragged == null ? tokens : ragged.tokens();
        if (cache == null && prompt > 0) {
            all = Ops.cat(1, noTokens(tokens.size(0), prompt), tokens);
        }
        return rows == null ? all : all.index_select(0, rows);
    }

    /** What stands for the tokens of a prompt's rows, which have none. */
    static Tensor noTokens(long batch, long count) {
        return Tensors.zeros(ScalarType.Long, batch, count).sub(new Scalar(1L));
    }

    /** The same pass as some rows of its batch see it. */
    public Pass of(Tensor someRows) {
        Pass view = new Pass(hooks, training, cache, null, tape);
        view.mask = mask;
        view.tokens = tokens;
        view.prompt = prompt;
        view.begins = begins;
        view.ragged = ragged;
        view.notes = notes;
        view.rows = someRows;
        return view;
    }

    /** What the attention layer that runs now is given, {@code [batch, seq, hidden]}. */
    public Tensor attentionInput() {
        if (attentionInput == null) {
            throw new IllegalStateException("the input of an attention layer is known only after its queries");
        }
        return attentionInput;
    }

    /** The number of prompt rows before the tokens. */
    public long prompt() {
        return prompt;
    }

    /** What should be predicted at the rows of the prompt; known after the embeddings. */
    public PromptTargets promptTargets() {
        return promptTargets;
    }

    /** Says what the pass sees where that are images, which have no tokens. */
    public void sees(Tensor newMask) {
        this.mask = newMask;
    }

    /** Which text each token belongs to, {@code [batch, seq]}, where several stand in a row; null for one text a row. */
    @Nullable
    Tensor segments() {
        return segments;
    }

    /** Says what the pass sees where several texts stand in a row. */
    void packs(@Nullable Tensor newSegments) {
        this.segments = newSegments;
    }

    /** Says what the pass sees where there is no prompt. */
    public void sees(Inputs in) {
        sees(in.ids(), in.mask(), 0, PromptTargets.none(0));
    }

    void sees(Tensor newTokens, Tensor newMask, long promptRows, PromptTargets targets) {
        this.tokens = cache != null
                ? cache.tokens(
                        promptRows == 0 ? newTokens : Ops.cat(1, noTokens(newTokens.size(0), promptRows), newTokens))
                : newTokens;
        this.mask = newMask;
        this.prompt = promptRows;
        this.promptTargets = targets;
    }

    /**
     * Keeps how a mixture of experts spread the batch, for the loss that balances them.
     *
     * @throws InputException with gradient checkpointing: the loss would keep what a layer makes
     */
    public void route(Routing routing) {
        if (repeats) {
            throw new InputException(
                    "gradient_checkpointing runs layers again in the backward pass, but the load-balance"
                            + " loss of this mixture of experts needs what their routers gave; leave it out");
        }
        // It outlives the layer that it was made in.
        routing.logits().retainReference();
        routings.add(routing);
    }

    /** The load-balance loss of the mixtures of experts passed so far, or null where there are none that want it. */
    public @Nullable Tensor balance() {
        Routing.Load load = load();
        return load == null ? null : balance(load);
    }

    /** The share that this pass has in the load-balance loss of a batch with that load; there must be mixtures that want it. */
    public Tensor balance(Routing.Load load) {
        return Routing.loss(routings, mask(), load);
    }

    /** How often each expert was chosen so far, or null where no mixture wants that balanced. */
    public Routing.@Nullable Load load() {
        return routings.isEmpty() ? null : Routing.load(routings, mask());
    }

    /** Lets what a head may ask of a pass of inference outlive a scope; what its layers gave does not. */
    public void keep(Scope scope) {
        mask = Hidden.kept(mask, scope);
        segments = Hidden.kept(segments, scope);
        tokens = Hidden.kept(tokens, scope);
        notes.keep(scope);
        attentionInput = null;
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

    /** The result of a dual encoder. */
    public Hidden result(Tensor texts, Tensor images) {
        return new Hidden(texts, mask(), 0, null, collected(), images);
    }

    /** The result of a backbone. */
    public Hidden result(Tensor last) {
        Tensor first = begins == null ? null : Tensors.of(begins, begins.length);
        return new Hidden(
                last,
                mask(),
                prompt,
                first == null || rows == null ? first : first.index_select(0, rows),
                collected(),
                null);
    }
}
