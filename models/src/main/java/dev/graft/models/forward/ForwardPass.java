package dev.graft.models.forward;

import dev.graft.formats.InputException;
import dev.graft.models.cache.KvCache;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.HookedPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.PromptTargets;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.Tape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One forward pass: its hooks, its {@link ForwardContext}, its collected outputs, and the operations of models. In training, operations run on a
 * {@link Tape}, with gradients by formula where they are known. Used by one thread, once.
 */
public final class ForwardPass implements HookedPass, RaggedBatch.Row {
    private final Hooks hooks;
    private final boolean training;
    private final ForwardContext context;
    private final Segments segments;
    private final @Nullable RaggedBatch<ForwardPass> ragged;
    private final LoadBalance loadBalance;
    private final List<AuxiliaryOutput> auxiliaries = new ArrayList<>();
    private @Nullable Predicate<Block> backwardSkipped;
    private @Nullable List<Tensor> hiddenStates;
    private @Nullable Tensor attentionInput;
    private boolean first;

    private ForwardPass(
            Hooks hooks,
            boolean training,
            ForwardContext context,
            Segments segments,
            @Nullable RaggedBatch<ForwardPass> ragged) {
        this.hooks = hooks;
        this.training = training;
        this.context = context;
        this.segments = segments;
        this.ragged = ragged;
        loadBalance = new LoadBalance(context);
    }

    private static ForwardPass of(
            Hooks hooks,
            boolean training,
            Segments segments,
            @Nullable KvCache cache,
            @Nullable RaggedBatch<ForwardPass> ragged) {
        return new ForwardPass(hooks, training, new ForwardContext(cache, ragged, segments.notes()), segments, ragged);
    }

    /** Creates a pass of inference, without dropout. */
    public static ForwardPass inference(Hooks hooks) {
        return of(hooks, false, new Segments(null, false), null, null);
    }

    /**
     * Returns a pass that computes the same as a {@link #training} pass, for comparing losses, without dropout and without a backward pass.
     */
    public static ForwardPass evaluation(Hooks hooks) {
        return of(hooks, false, new Segments(null, true), null, null);
    }

    /** Creates a pass of inference that stores and reuses keys and values. */
    public static ForwardPass cached(Hooks hooks, KvCache cache) {
        return of(hooks, false, new Segments(null, false), cache, null);
    }

    /**
     * Returns a pass over texts of different lengths, {@code [rows, seq]} with {@code seq} new tokens of each. Operations that mix positions see
     * each row alone; all others see the rows together.
     *
     * @param hooks the hooks for the rows together
     * @param rows the pass of each row, {@link #cached} with its earlier tokens; null for rows without a text
     */
    public static ForwardPass ragged(Hooks hooks, List<@Nullable ForwardPass> rows) {
        return of(hooks, false, new Segments(null, false), null, new RaggedBatch<>(rows));
    }

    /**
     * Creates a training pass, with dropout. Its gradient is computed in segments: after the backward pass of a loss, call {@link #backward()}.
     */
    public static ForwardPass training(Hooks hooks) {
        return of(hooks, true, new Segments(new Tape(), true), null, null);
    }

    /**
     * Returns this pass with gradient checkpointing (Chen et al., 2016). Only the input of each layer is kept, and the layer runs again in the
     * backward pass. The gradients are equal to the last bit, in fp64 up to rounding.
     */
    public ForwardPass checkpointed() {
        return like(context, segments.checkpointed());
    }

    /** Returns whether layers run again in the backward pass. */
    public boolean isCheckpointed() {
        return segments.isCheckpointed();
    }

    /**
     * Returns this pass for a one-sided network, with the output of its first layers read from this cache or stored in it.
     */
    public ForwardPass withFrozenLayers(FrozenLayerCache layers) {
        return like(context, segments.withFrozenLayers(layers));
    }

    /** Returns this pass with a backward pass that skips some blocks, along the residual stream alone. */
    public ForwardPass withSkippedBackward(Predicate<Block> blocks) {
        ForwardPass pass = like(context, segments);
        pass.backwardSkipped = blocks;
        return pass;
    }

    /** Returns this pass, collecting every layer's hidden states. */
    public ForwardPass withHiddenStates() {
        ForwardPass pass = like(context, segments);
        pass.hiddenStates = new ArrayList<>();
        return pass;
    }

    private ForwardPass like(ForwardContext itsContext, Segments itsSegments) {
        ForwardPass pass =
                new ForwardPass(hooks, training, itsContext, itsSegments, itsContext == context ? ragged : null);
        pass.backwardSkipped = backwardSkipped;
        pass.hiddenStates = hiddenStates;
        return pass;
    }

    /**
     * Returns the pass of the encoder that belongs to this decoder pass, with its own mask and without a cache, since an encoder runs once.
     */
    public ForwardPass encoder() {
        return like(new ForwardContext(null, null, segments.notes()), segments.withFrozenLayers(null));
    }

    @Override
    public ForwardPass of(Tensor rows) {
        return new ForwardPass(hooks, training, context.of(rows), segments, ragged);
    }

    /**
     * Returns the frozen model's own pass over the inputs of this pass, with its own cache if this pass has one.
     *
     * @param model the key of its cache
     * @param wanted selects the rows of a ragged pass; ignored for other passes
     */
    public ForwardPass frozenPass(Object model, IntPredicate wanted) {
        return companion(model, Hooks.NONE, wanted, false);
    }

    /**
     * Returns the pass of a side network, trained beside the model, over the inputs of this pass, with its own cache if this pass has one.
     *
     * @param network the key of its cache
     * @param itsHooks the hooks of the network
     * @param wanted selects the rows of a ragged pass; ignored for other passes
     */
    public ForwardPass companion(Object network, Hooks itsHooks, IntPredicate wanted) {
        return companion(network, itsHooks, wanted, true);
    }

    /** @param learns whether the network is part of what this pass trains */
    private ForwardPass companion(Object network, Hooks itsHooks, IntPredicate wanted, boolean learns) {
        KvCache cache = context.cache();
        if (cache != null) {
            return cached(itsHooks, cache.companion(network));
        }
        return ragged != null
                ? ragged(
                        itsHooks,
                        ragged.mapRows(wanted, rowPass -> rowPass.companion(network, itsHooks, wanted, learns)))
                : of(itsHooks, learns && training, segments.companion(learns), null, null);
    }

    @Override
    public Hooks hooks() {
        return hooks;
    }

    @Override
    public boolean isTraining() {
        return training;
    }

    /** The context that sites see. */
    @Override
    public ForwardContext context() {
        return context;
    }

    /** The tape of a training pass; null for other passes. */
    public @Nullable Tape tape() {
        return segments.tape();
    }

    /** Adds an output whose loss is added to that of the last hidden states. */
    public void auxiliary(AuxiliaryOutput auxiliary) {
        auxiliaries.add(auxiliary);
    }

    /** The outputs whose losses are added to that of the last hidden states. */
    public List<AuxiliaryOutput> auxiliaries() {
        return List.copyOf(auxiliaries);
    }

    /**
     * Stores the routing of a mixture of experts, for the load-balance loss.
     *
     * @throws InputException with gradient checkpointing, since the loss would keep tensors of a layer
     */
    public void addRouting(Routing routing) {
        if (segments.isCheckpointed()) {
            throw new InputException(
                    "gradient_checkpointing runs layers again in the backward pass, but the load-balance"
                            + " loss of this mixture of experts needs what their routers gave; leave it out");
        }
        loadBalance.add(routing);
    }

    /** The balance of the batch over the mixtures of experts passed so far. */
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

    /**
     * Ends the pass and stores its results in the cache, if there is one.
     *
     * @param keys 1 for the keys that are no padding, {@code [batch, keys]}
     * @param rowKeys the keys of each row of a ragged pass; empty for other passes
     */
    public void end(Tensor keys, List<@Nullable Tensor> rowKeys) {
        context.end(keys, rowKeys);
    }

    /**
     * Returns the result of a backbone.
     *
     * @param last the last hidden states, {@code [batch, seq, hidden]}
     */
    public HiddenStates result(Tensor last) {
        return new HiddenStates(last, context.mask(), context.prompt(), context.rowStarts(), collected(), null);
    }

    /**
     * Returns the result of a dual encoder.
     *
     * @param texts {@code [texts, dim]}
     * @param images {@code [images, dim]}
     */
    public HiddenStates result(Tensor texts, Tensor images) {
        return new HiddenStates(texts, context.mask(), 0, null, collected(), images);
    }

    /** Exempts the parts that a head needs from a scope; outputs of layers are not among them. */
    public void keep(Scope scope) {
        context.keep(scope);
        attentionInput = null;
    }

    /**
     * Continues the gradient from the last layer to the trained parameters; call it after the backward pass of a loss.
     */
    public void backward() {
        segments.backward();
    }

    /** Runs a segment of the network and frees its temporary tensors, except stored state. */
    public Tensor[] segment(Tape.ForwardFunction forward) {
        return segments.run(forward);
    }

    /** Runs a layer. Its temporary tensors are freed if there is no tape, or if it runs again in the backward pass. */
    public Tensor layer(Supplier<Tensor> body) {
        return segments.layer(body);
    }

    /** Declares that only the first positions of the last hidden states are read. */
    public void setReadsFirstOnly() {
        first = true;
    }

    /** Returns whether only the first positions of the last hidden states are read. */
    public boolean readsFirstOnly() {
        return first;
    }

    /** Returns whether a loss is computed from the result. */
    public boolean feedsLoss() {
        return segments.feedsLoss();
    }

    /** Returns whether the output of a layer is read from a cache of frozen layers or stored in it. */
    public boolean isCached(int layer) {
        return segments.isCached(layer);
    }

    /** Returns whether the gradient bypasses a block along the residual stream. */
    public boolean skipsBackward(Block block) {
        return backwardSkipped != null && backwardSkipped.test(block);
    }

    /** Returns whether the pass collects every layer's hidden states. */
    public boolean collects() {
        return hiddenStates != null;
    }

    /** The rows of a pass over texts of different lengths, each with its own pass; null for other passes. */
    public @Nullable RaggedBatch<ForwardPass> ragged() {
        return ragged;
    }

    @Override
    public boolean isRagged() {
        return ragged != null;
    }

    @Override
    public boolean isContinuation() {
        return context.isContinuation();
    }

    @Override
    public Tensor mask() {
        return context.mask();
    }

    @Override
    public Tensor tokens() {
        return context.tokens();
    }

    @Override
    public @Nullable Tensor pastLengths() {
        return context.pastLengths();
    }

    @Override
    public PromptTargets promptTargets() {
        return context.promptTargets();
    }

    @Override
    public void putState(Object key, Tensor value) {
        context.putState(key, value);
    }

    @Override
    public Tensor getState(Object key) {
        return context.getState(key);
    }

    /** Stores the input of the current attention layer, {@code [batch, seq, hidden]}. */
    public void setAttentionInput(Tensor x) {
        attentionInput = x;
    }

    @Override
    public Tensor attentionInput() {
        if (attentionInput == null) {
            throw new IllegalStateException("the input of an attention layer is known only after its queries");
        }
        return attentionInput;
    }
}
