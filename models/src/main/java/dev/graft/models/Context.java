package dev.graft.models;

import dev.graft.models.sites.Prompt;
import dev.graft.models.sites.PromptTargets;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What the sites of a pass see: its tokens, the rows of a prompt before them, which positions are padding, what earlier passes have read
 * and what earlier sites have left. Known once the embeddings are made.
 */
public final class Context {
    private final @Nullable KvCache cache;
    private final @Nullable Ragged ragged;
    private final @Nullable Tensor rows;
    private final Notes notes;

    /** Under which the mask is left: a piece of the network may set it. */
    private final Object maskKey;

    private @Nullable Tensor segments;
    private @Nullable Tensor tokens;
    private long prompt;

    /** Where each row begins, where prompts come behind texts' first positions. */
    private long @Nullable [] begins;

    private PromptTargets promptTargets = PromptTargets.none(0);

    Context(@Nullable KvCache cache, @Nullable Ragged ragged, Notes notes) {
        this(cache, ragged, notes, new Object(), null);
    }

    private Context(
            @Nullable KvCache cache, @Nullable Ragged ragged, Notes notes, Object maskKey, @Nullable Tensor rows) {
        this.cache = cache;
        this.ragged = ragged;
        this.notes = notes;
        this.maskKey = maskKey;
        this.rows = rows;
    }

    /** The same as some rows of the batch see it. */
    Context of(Tensor someRows) {
        Context view = new Context(cache, ragged, notes, maskKey, someRows);
        view.tokens = tokens;
        view.prompt = prompt;
        view.begins = begins;
        return view;
    }

    /** Where keys and values of earlier passes are; null for none. */
    public @Nullable KvCache cache() {
        return cache;
    }

    /** What the rows of a pass of {@link Pass#ragged} do by themselves; null for another pass. */
    public @Nullable Ragged ragged() {
        return ragged;
    }

    /** Whether earlier passes have read the beginnings of the texts. */
    public boolean continues() {
        return ragged != null || (cache != null && cache.length() > 0);
    }

    /** How many positions that aren't padding earlier passes have read, {@code [batch, 1]} int64; null for none. */
    public @Nullable Tensor earlier() {
        if (ragged != null) {
            return ragged.earlier();
        }
        Tensor seen = cache == null ? null : cache.mask();
        return seen == null ? null : Ops.sum(seen, 1, true);
    }

    /** Keeps what the pass has read where there is a cache. */
    void end(AttentionMask read) {
        if (cache != null) {
            cache.advance(read.keys());
        }
        if (ragged != null) {
            ragged.end(read.rows());
        }
    }

    /** 1 for what the pass sees and 0 for padding, {@code [batch, prompt + seq]}; set when the embeddings are made. */
    public Tensor mask() {
        Tensor mask = all();
        return rows == null ? mask : mask.index_select(0, rows);
    }

    /** The mask of the whole batch. */
    private Tensor all() {
        Tensor mask = notes.find(maskKey);
        if (mask == null) {
            throw new IllegalStateException("the mask is known only after the embeddings");
        }
        return mask;
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

    /** The number of prompt rows before the tokens. */
    public long prompt() {
        return prompt;
    }

    /** Whether a row is a text from its first position on: no prompt stands there, and no earlier pass has read its beginning. */
    boolean isOfTextsAlone() {
        return cache == null && ragged == null && prompt == 0 && begins == null;
    }

    /** What should be predicted at the rows of the prompt. */
    public PromptTargets promptTargets() {
        return promptTargets;
    }

    /** Where each row begins, {@code [batch]} int64; null where it begins with its prompt. */
    @Nullable
    Tensor begins() {
        if (begins == null) {
            return null;
        }
        Tensor all = Tensors.of(begins, begins.length);
        return rows == null ? all : all.index_select(0, rows);
    }

    /**
     * Which text each position belongs to, {@code [batch, prompt + seq]}, where several stand in a row, {@link AttentionMask#SHARED} for a prompt;
     * null for one text a row.
     */
    @Nullable
    Tensor segments() {
        if (segments == null || prompt == 0) {
            return segments;
        }
        Tensor shared = Tensors.zeros(ScalarType.Long, segments.size(0), prompt).add(new Scalar(AttentionMask.SHARED));
        return Ops.cat(1, shared, segments);
    }

    /** Says what the pass sees where that are images, which have no tokens. */
    public void sees(Tensor mask) {
        notes.put(maskKey, mask);
    }

    /** Says what the pass sees where there is no prompt. */
    public void sees(Inputs in) {
        sees(in.ids(), in.mask(), null, 0, PromptTargets.none(0));
    }

    void sees(Tensor newTokens, Tensor mask, @Nullable Tensor itsSegments, long promptRows, PromptTargets targets) {
        sees(mask);
        tokens = cache != null
                ? cache.tokens(
                        promptRows == 0 ? newTokens : Ops.cat(1, noTokens(newTokens.size(0), promptRows), newTokens))
                : newTokens;
        segments = itsSegments;
        prompt = promptRows;
        promptTargets = targets;
    }

    /**
     * A prompt before, or in, what is seen so far.
     *
     * @param order where the rows of the longer batch come from, {@code [batch, prompt + seq]}; null for the prompt before all
     */
    void insert(Prompt before, @Nullable Tensor order) {
        Tensor longer = Ops.cat(1, before.mask(), mask());
        prompt += before.length();
        promptTargets = PromptTargets.none(Math.toIntExact(longer.size(0) * prompt));
        begins = order == null ? begins : Tensors.longs(before.missing());
        sees(order == null ? longer : longer.gather(1, order));
    }

    /** Leaves something for later sites of the pass, a row for each of the batch that this one sees. */
    public void note(Object key, Tensor value) {
        if (rows == null) {
            notes.put(key, value);
        } else {
            notes.put(key, value, rows, all().size(0));
        }
    }

    /** What was left under a key for the rows that are seen here. */
    public Tensor noted(Object key) {
        Tensor value = notes.get(key);
        return rows == null ? value : value.index_select(0, rows);
    }

    /** Tells the passes of a ragged pass's rows what each sees, and where each writes. */
    void shareOut(ScalarType type) {
        if (ragged != null && tokens != null) {
            ragged.shareOut(tokens, mask(), promptTargets, type);
        }
    }

    /** Lets it outlive a scope. */
    void keep(Scope scope) {
        notes.keep(scope);
        segments = Hidden.kept(segments, scope);
        tokens = Hidden.kept(tokens, scope);
    }
}
