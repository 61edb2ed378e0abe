package dev.graft.models.forward;

import dev.graft.models.cache.KvCache;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The state of a pass that sites see: its tokens, prompt rows before them, padding, the results of earlier passes and the values stored by
 * earlier sites. It is complete once the embeddings are computed.
 */
public final class ForwardContext {
    /** The segment number of a shared prompt's rows: all texts of a row see them, and they see no text. */
    public static final long SHARED = -1;

    /** The rows of a pass over texts of different lengths, each with its own context. */
    interface Rows {
        /** Returns the number of positions, without padding, of earlier passes, {@code [rows, 1]} int64. */
        Tensor pastLengths();

        /** Returns the tokens so far, {@code [rows, longest]} int64, with -1 before those of shorter rows. */
        Tensor tokens();

        /** Passes each row its part of {@code [rows, seq]} and the targets of its prompt. */
        void distribute(Tensor tokens, Tensor mask, PromptTargets targets, ScalarType type);

        /**
         * Ends each row.
         *
         * @param keys the keys that each row has read; null for rows without a text
         */
        void end(List<@Nullable Tensor> keys);
    }

    private final @Nullable KvCache cache;
    private final @Nullable Rows ragged;
    private final @Nullable Tensor rows;
    private final PassState passState;

    /** Under which the mask is left: a piece of the network may set it. */
    private final Object maskKey;

    private @Nullable Tensor segments;
    private @Nullable Tensor tokens;
    private long prompt;

    /** The start of each row, where prompts follow the first positions of texts. */
    private long @Nullable [] rowStarts;

    private PromptTargets promptTargets = PromptTargets.none(0);

    ForwardContext(@Nullable KvCache cache, @Nullable Rows ragged, PassState passState) {
        this(cache, ragged, passState, new Object(), null);
    }

    private ForwardContext(
            @Nullable KvCache cache,
            @Nullable Rows ragged,
            PassState passState,
            Object maskKey,
            @Nullable Tensor rows) {
        this.cache = cache;
        this.ragged = ragged;
        this.passState = passState;
        this.maskKey = maskKey;
        this.rows = rows;
    }

    /** Returns this context for some rows of the batch. */
    ForwardContext of(Tensor someRows) {
        ForwardContext view = new ForwardContext(cache, ragged, passState, maskKey, someRows);
        view.tokens = tokens;
        view.prompt = prompt;
        view.rowStarts = rowStarts;
        return view;
    }

    /** The cache with the keys and values of earlier passes; null for none. */
    public @Nullable KvCache cache() {
        return cache;
    }

    /** The length of the longest text in the cache; 0 without one. */
    public long longestText() {
        return cache == null ? 0 : cache.longestText();
    }

    /** Returns whether earlier passes have read the beginnings of the texts. */
    public boolean isContinuation() {
        return ragged != null || (cache != null && cache.length() > 0);
    }

    /** The number of positions of earlier passes, without padding, {@code [batch, 1]} int64; null for none. */
    public @Nullable Tensor pastLengths() {
        if (ragged != null) {
            return ragged.pastLengths();
        }
        Tensor seen = cache == null ? null : cache.mask();
        return seen == null ? null : Ops.sum(seen, 1, true);
    }

    /**
     * Stores the results of the pass in the cache, if there is one.
     *
     * @param keys 1 for the keys that are no padding, {@code [batch, keys]}
     * @param rowKeys the keys of each row of a ragged pass; empty for other passes
     */
    void end(Tensor keys, List<@Nullable Tensor> rowKeys) {
        if (cache != null) {
            cache.advance(keys);
        }
        if (ragged != null) {
            ragged.end(rowKeys);
        }
    }

    /**
     * The visible positions: 1 for tokens and prompt rows, 0 for padding, {@code [batch, prompt + seq]}; set with the embeddings.
     */
    public Tensor mask() {
        Tensor mask = all();
        return rows == null ? mask : mask.index_select(0, rows);
    }

    /** The mask of the whole batch. */
    private Tensor all() {
        Tensor mask = passState.find(maskKey);
        if (mask == null) {
            throw new IllegalStateException("the mask is known only after the embeddings");
        }
        return mask;
    }

    /**
     * The tokens so far, cached ones before those of this pass, {@code [batch, seen]} int64; -1 for rows of a prompt. The last ones belong to the
     * positions of this pass.
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

    /** Returns placeholders for the tokens of a prompt's rows, which have none. */
    static Tensor noTokens(long batch, long count) {
        return Tensors.zeros(ScalarType.Long, batch, count).sub(new Scalar(1L));
    }

    /** The number of prompt rows before the tokens. */
    public long prompt() {
        return prompt;
    }

    /**
     * Returns whether rows are whole texts from their first position on, without a prompt and without an earlier pass.
     */
    public boolean isOfTextsAlone() {
        return cache == null && ragged == null && prompt == 0 && rowStarts == null;
    }

    /** The targets of prediction at the rows of the prompt. */
    public PromptTargets promptTargets() {
        return promptTargets;
    }

    /** The start of each row, {@code [batch]} int64; null if it begins with its prompt. */
    @Nullable
    Tensor rowStarts() {
        if (rowStarts == null) {
            return null;
        }
        Tensor all = Tensors.of(rowStarts, rowStarts.length);
        return rows == null ? all : all.index_select(0, rows);
    }

    /**
     * The text of each position if rows contain several, {@link #SHARED} for a prompt: {@code [batch, prompt + seq]}. Null for one text per row.
     */
    public @Nullable Tensor segments() {
        if (segments == null || prompt == 0) {
            return segments;
        }
        Tensor shared = Tensors.zeros(ScalarType.Long, segments.size(0), prompt).add(new Scalar(SHARED));
        return Ops.cat(1, shared, segments);
    }

    /** Sets the mask of images, which have no tokens. */
    public void setInputs(Tensor mask) {
        passState.put(maskKey, mask);
    }

    /** Sets the tokens and the mask of inputs without a prompt. */
    public void setInputs(Inputs in) {
        setInputs(in.ids(), in.mask(), null, 0, PromptTargets.none(0));
    }

    public void setInputs(
            Tensor newTokens, Tensor mask, @Nullable Tensor itsSegments, long promptRows, PromptTargets targets) {
        setInputs(mask);
        tokens = cache != null
                ? cache.tokens(
                        promptRows == 0 ? newTokens : Ops.cat(1, noTokens(newTokens.size(0), promptRows), newTokens))
                : newTokens;
        segments = itsSegments;
        prompt = promptRows;
        promptTargets = targets;
    }

    /**
     * Inserts a prompt before, or in, the tokens so far.
     *
     * @param order the source of each row of the longer batch, {@code [batch, prompt + seq]}; null if the whole prompt comes first
     */
    public void insert(SoftPrompt before, @Nullable Tensor order) {
        Tensor longer = Ops.cat(1, before.mask(), mask());
        prompt += before.length();
        promptTargets = PromptTargets.none(Math.toIntExact(longer.size(0) * prompt));
        rowStarts = order == null ? rowStarts : Tensors.longs(before.missing());
        setInputs(order == null ? longer : longer.gather(1, order));
    }

    /** Stores a value for later sites of the pass, with a row for each row of this context's batch. */
    public void putState(Object key, Tensor value) {
        if (rows == null) {
            passState.put(key, value);
        } else {
            passState.put(key, value, rows, all().size(0));
        }
    }

    /** Returns the value stored under a key, for the rows of this context. */
    public Tensor getState(Object key) {
        Tensor value = passState.get(key);
        return rows == null ? value : value.index_select(0, rows);
    }

    /** Passes their parts to the passes of a ragged pass's rows. */
    public void distribute(ScalarType type) {
        if (ragged != null && tokens != null) {
            ragged.distribute(tokens, mask(), promptTargets, type);
        }
    }

    /** Exempts its tensors from a scope. */
    void keep(Scope scope) {
        passState.keep(scope);
        segments = HiddenStates.kept(segments, scope);
        tokens = HiddenStates.kept(tokens, scope);
    }
}
