package dev.graft.models;

import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Norm;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
    private long prompt;

    private final @Nullable Tape tape;

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

    /** Inference that keeps and reuses keys and values. */
    public static Pass cached(Hooks hooks, KvCache cache) {
        return new Pass(hooks, false, cache, null, null);
    }

    /** The same pass, collecting every layer's hidden states. */
    public Pass withHiddenStates() {
        return new Pass(hooks, training, cache, new ArrayList<>(), tape);
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

    /** Runs a piece of the network; what it makes on the way is freed, but for the mask if the piece sets it. */
    public Tensor[] piece(Tape.Forward forward) {
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
        Tensor[] outputs = tape == null ? untaped(withMask) : tape.run(withMask);
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

    /** A norm of the residual stream {@code [batch, seq, hidden]} in another type; frozen ones need no gradient graph. */
    public Tensor norm(Norm site, Tensor h, ScalarType type) {
        if (tape != null && site.kind() == Norm.Kind.RMS && h.requires_grad() && hooks.isFrozen(site)) {
            return tape.run(
                    () -> new Tensor[] {Ops.to(site.apply(h), type)}, gradient -> RmsNorm.backward(site, h, gradient));
        }
        return piece(() -> new Tensor[] {Ops.to(hooks.norm(site, h, this), type)})[0];
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
        return mask;
    }

    /** The number of prompt rows before the tokens. */
    public long prompt() {
        return prompt;
    }

    void sees(Tensor newMask, long promptRows) {
        this.mask = newMask;
        this.prompt = promptRows;
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

    /** The result of a backbone. */
    public Hidden result(Tensor last) {
        return new Hidden(last, mask(), prompt, collected());
    }
}
