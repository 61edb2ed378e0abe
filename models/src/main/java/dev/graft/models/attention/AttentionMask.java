package dev.graft.models.attention;

import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardContext;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.RaggedBatch;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The keys that each query sees, computed once for a pass: the cached keys, then the prefix, then the pass's own positions.
 *
 * @param additive {@code [batch or 1, 1 or heads, queries, keys]}: 0 for visible keys, a very negative number for hidden ones; null if all are
 *     visible
 * @param keys {@code [batch, keys]} int64: 1 for keys that are not padding
 * @param positionShift {@code [batch, 1]} int64 to add to positions, or null for none
 * @param keyShift {@code [batch, 1]} int64: the distance by which a prefix moves keys but not queries, or null for none
 * @param hasKeys {@code [batch, 1, queries, 1]}: 0 for queries that see no key, such as padding on the left. Their output is zero, as with
 *     PyTorch's {@code scaled_dot_product_attention}. Null if there are none
 * @param padding the number of padded keys at the end of each row if all padding is there; else zeros
 * @param causal whether no query sees a key behind its own position
 * @param queries the number of queries
 * @param type the type of the mask's numbers
 * @param attentionWindow the window that further limits the visible keys of a query
 * @param segments {@code [batch, queries]} int64, the text of each position if a row contains several, {@link ForwardContext#SHARED} for a prompt
 *     before them; null for one text per row
 * @param texts the texts of each row if they and {@code causal} alone decide visibility; else null
 * @param alibi the bias of scores by the distance of the keys, or null for none
 * @param rows the mask of each row alone in a pass of {@link ForwardPass#ragged} texts, null for rows without a text; empty in others
 */
@RecordBuilder
@SuppressWarnings("ArrayRecordComponent") // made once for one pass, never shared
public record AttentionMask(
        @Nullable Tensor additive,
        @Nullable Tensor hasKeys,
        Tensor keys,
        @Nullable Tensor positionShift,
        @Nullable Tensor keyShift,
        long[] padding,
        boolean causal,
        long queries,
        ScalarType type,
        AttentionWindow attentionWindow,
        @Nullable Tensor segments,
        @Nullable PackedTexts texts,
        Alibi.@Nullable AlibiBias alibi,
        List<@Nullable AttentionMask> rows)
        implements AttentionMaskBuilder.With {
    static final double HIDDEN = -1e30;

    /**
     * Consecutive texts in rows.
     *
     * @param ends the end positions of the texts of each row, including the prompt's
     * @param prompt the number of positions of a prompt before the first text of each row, which all texts see
     */
    @SuppressWarnings("ArrayRecordComponent") // made once for one pass, never shared
    record PackedTexts(int[][] ends, long prompt) {}

    /**
     * Creates the mask of a pass after its embeddings.
     *
     * @param first the first attention layer, which may have a prefix; null if there is none
     * @param causal whether no query sees a later key
     * @param type the type of the mask's numbers
     */
    public static AttentionMask of(@Nullable Attention first, boolean causal, ScalarType type, ForwardPass pass) {
        ForwardContext context = pass.context();
        RaggedBatch<ForwardPass> ragged = pass.ragged();
        if (ragged != null) {
            return ragged(first, causal, type, pass, ragged);
        }
        Tensor own = context.mask();
        KvCache cache = context.cache();
        Tensor past = cache == null ? null : cache.mask();
        Tensor keys = past == null ? own : Ops.cat(1, past, own);
        Prefix prefix = past == null && first != null ? pass.hooks().prefix(first, own.size(0), pass) : null;
        Tensor shift = cache == null ? null : cache.positionShift();
        Tensor ahead = cache == null ? null : cache.keyShift();
        if (prefix != null) {
            keys = Ops.cat(1, prefix.mask(), keys);
            shift = prefix.shift().unsqueeze(1);
            ahead = Ops.sum(prefix.mask(), 1, true).sub(shift).clamp_min(new Scalar(0L));
        }
        if (cache != null && past == null) {
            cache.begin(prefix == null ? 0 : prefix.length(), context.prompt(), shift, ahead);
        }
        Tensor segments = context.segments();
        if (segments != null && past == null && (prefix == null || isWhole(prefix))) {
            return ofTexts(keys, causal, type, shift, ahead, segments);
        }
        return of(keys, own.size(1), causal, type, shift, ahead).apart(segments);
    }

    private static boolean isWhole(Prefix prefix) {
        return Arrays.stream(Tensors.longs(prefix.mask())).allMatch(key -> key == 1);
    }

    /** The mask of rows that hold several texts: who sees whom follows from where they end. */
    private static AttentionMask ofTexts(
            Tensor keys,
            boolean causal,
            ScalarType type,
            @Nullable Tensor shift,
            @Nullable Tensor ahead,
            Tensor segments) {
        int width = (int) segments.size(1);
        long[] own = Tensors.longs(segments);
        return new AttentionMask(
                null,
                null,
                keys,
                shift,
                ahead,
                padding(Tensors.longs(keys), (int) keys.size(1)),
                causal && width > 1,
                width,
                type,
                AttentionWindow.ALL,
                segments,
                new PackedTexts(ends(own, width), prompt(own, width)),
                null,
                List.of());
    }

    /** Returns the ends of the texts of each row. */
    private static int[][] ends(long[] own, int width) {
        int[][] ends = new int[own.length / width][];
        for (int row = 0; row < ends.length; row++) {
            int first = row * width;
            ends[row] = IntStream.rangeClosed(1, width)
                    .filter(end -> end == width || own[first + end] != own[first + end - 1])
                    .toArray();
        }
        return ends;
    }

    private static long prompt(long[] own, int width) {
        return Arrays.stream(own, 0, width)
                .takeWhile(text -> text == ForwardContext.SHARED)
                .count();
    }

    /** Returns a mask whose {@code additive} alone decides visibility. */
    private AttentionMask whole() {
        return texts == null
                ? this
                : of(keys, queries, causal, type, positionShift, keyShift)
                        .apart(segments)
                        .like(this);
    }

    private static AttentionMask ragged(
            @Nullable Attention first,
            boolean causal,
            ScalarType type,
            ForwardPass pass,
            RaggedBatch<ForwardPass> ragged) {
        pass.context().distribute(type);
        List<@Nullable AttentionMask> rows = new ArrayList<>();
        long[] shifts = new long[ragged.rows().size()];
        for (ForwardPass rowPass : ragged.rows()) {
            AttentionMask its = rowPass == null ? null : of(first, causal, type, rowPass);
            if (its != null && its.positionShift != null) {
                shifts[rows.size()] = Tensors.longs(its.positionShift)[0];
            }
            rows.add(its);
        }
        Tensor shift = Arrays.stream(shifts).allMatch(row -> row == 0) ? null : Tensors.of(shifts, shifts.length, 1);
        Tensor own = pass.context().mask();
        boolean alike = shift == null && rows.stream().allMatch(row -> row != null && row.isOfWholeText());
        return of(own, own.size(1), causal && alike, type, shift, null).withRows(rows);
    }

    /** Returns whether only the pass's own positions are seen and none of them is padding. */
    private boolean isOfWholeText() {
        return keys.size(1) == queries
                && segments == null
                && Arrays.stream(Tensors.longs(keys)).allMatch(key -> key == 1);
    }

    /** Returns whether the rows are whole texts of one length, whose visibility this mask describes. */
    boolean isOfEqualRows() {
        return causal
                && alibi == null
                && rows.stream().allMatch(row -> row != null && row.attentionWindow.equals(attentionWindow));
    }

    /** Ends a pass: its keys are kept in the cache, if there is one. */
    public void end(ForwardPass pass) {
        List<@Nullable Tensor> rowKeys = new ArrayList<>();
        for (AttentionMask row : rows) {
            rowKeys.add(row == null ? null : row.keys);
        }
        pass.end(keys, rowKeys);
    }

    /** Returns whether the query of each row sees all its keys. */
    public boolean showsAll() {
        return alibi == null && rows.stream().allMatch(row -> row == null || row.additive == null);
    }

    /**
     * Returns the mask of a layer, which differs from this one if the layer's prefix differs from the first layer's.
     */
    AttentionMask at(Attention site, ForwardPass pass) {
        if (pass.hooks().isFrozen(site)) {
            return this;
        }
        Prefix prefix = pass.hooks().prefix(site, keys.size(0), pass);
        if (prefix == null || keys.narrow(1, 0, prefix.length()).equal(prefix.mask())) {
            return this;
        }
        long rest = keys.size(1) - prefix.length();
        Tensor own = Ops.cat(1, prefix.mask(), keys.narrow(1, prefix.length(), rest));
        return of(own, queries, causal, type, positionShift, keyShift)
                .apart(segments)
                .within(attentionWindow)
                .like(this);
    }

    private static AttentionMask of(
            Tensor keys,
            long queries,
            boolean causal,
            ScalarType type,
            @Nullable Tensor shift,
            @Nullable Tensor ahead) {
        long count = keys.size(1);
        long[] visible = Tensors.longs(keys);
        boolean padded = Arrays.stream(visible).anyMatch(key -> key == 0);
        boolean triangular = causal && queries > 1;
        Tensor hidden = padded ? keys.eq(new Scalar(0L)).unsqueeze(1).unsqueeze(1) : null;
        if (triangular) {
            Tensor later = Tensors.ones(ScalarType.Bool, queries, count)
                    .triu(count - queries + 1)
                    .unsqueeze(0)
                    .unsqueeze(0);
            hidden = hidden == null ? later : hidden.logical_or(later);
        }
        Tensor additive = hidden == null
                ? null
                : Tensors.zeros(type, Tensors.shape(hidden)).masked_fill(hidden, new Scalar(HIDDEN));
        Tensor sees = additive != null && triangular && startsHidden(visible, (int) count)
                ? Ops.to(additive.amax(new long[] {3}, true).eq(new Scalar(0.0)), type)
                : null;
        return new AttentionMask(
                additive,
                sees,
                keys,
                shift,
                ahead,
                padding(visible, (int) count),
                triangular,
                queries,
                type,
                AttentionWindow.ALL,
                null,
                null,
                null,
                List.of());
    }

    /** Returns a mask with which a query sees only keys of its own text, of the prefix and of the prompt. */
    private AttentionMask apart(@Nullable Tensor own) {
        if (own == null) {
            return this;
        }
        long prefix = keys.size(1) - queries;
        Tensor texts = own.unsqueeze(1);
        Tensor other = own.unsqueeze(2)
                .ne(texts)
                .logical_and(texts.ne(new Scalar(ForwardContext.SHARED)))
                .unsqueeze(1);
        if (prefix > 0) {
            other = Ops.cat(3, Tensors.zeros(ScalarType.Bool, own.size(0), 1, queries, prefix), other);
        }
        Tensor near = additive == null ? Tensors.zeros(type, 1, 1, 1, keys.size(1)) : additive;
        Tensor apart = near.expand(own.size(0), -1, queries, -1).masked_fill(other, new Scalar(HIDDEN));
        return with().additive(apart).segments(own).texts(null).build();
    }

    /**
     * Returns a mask in which a query sees only keys within its window. Distances count all keys, also padding; chunks don't count padding. Each
     * text of a row starts anew after the prefix and the prompt.
     */
    public AttentionMask within(AttentionWindow attentionWindow) {
        if (!rows.isEmpty()) {
            List<@Nullable AttentionMask> near = new ArrayList<>();
            for (AttentionMask row : rows) {
                near.add(row == null ? null : row.within(attentionWindow));
            }
            return withRows(near);
        }
        long count = keys.size(1);
        if (attentionWindow.kind() == AttentionWindow.Kind.ALL || attentionWindow.size() >= count) {
            return this;
        }
        if (texts != null) {
            return whole().within(attentionWindow);
        }
        Tensor far = attentionWindow.kind() == AttentionWindow.Kind.WINDOW
                ? outside(attentionWindow.size())
                : elsewhere(attentionWindow.size());
        Tensor all = additive == null ? Tensors.zeros(type, 1, 1, 1, count) : additive;
        Tensor near = all.expand(Math.max(all.size(0), far.size(0)), -1, queries, -1)
                .masked_fill(far.unsqueeze(1), new Scalar(HIDDEN));
        return with().additive(near)
                .attentionWindow(attentionWindow)
                .texts(null)
                .build();
    }

    /** Marks keys that are at least {@code window} positions away, {@code [batch or 1, queries, keys]}. */
    private Tensor outside(long window) {
        long count = keys.size(1);
        Tensor places = segments == null
                ? Tensors.arange(count).unsqueeze(0)
                : Tensors.of(Arrays.stream(tokens((int) count)).asLongStream().toArray(), keys.size(0), count);
        Tensor away = ofQueries(places).unsqueeze(2).sub(places.unsqueeze(1)).abs();
        return away.ge(new Scalar(window));
    }

    /** Marks keys in another chunk, {@code [batch, queries, keys]}. */
    private Tensor elsewhere(int size) {
        int count = (int) keys.size(1);
        long[] chunks = new long[(int) keys.numel()];
        int[] tokens = tokens(count);
        for (int i = 0; i < chunks.length; i++) {
            chunks[i] = Math.floorDiv(tokens[i] - 1, size);
        }
        Tensor each = Tensors.of(chunks, chunks.length / count, count);
        return ofQueries(each).unsqueeze(2).ne(each.unsqueeze(1));
    }

    private Tensor ofQueries(Tensor each) {
        return each.narrow(1, keys.size(1) - queries, queries);
    }

    /** Counts the keys up to each one, of the prefix, the prompt and its own text, without padding. */
    private int[] tokens(int count) {
        long[] visible = Tensors.longs(keys);
        long[] own = segments == null ? null : Tensors.longs(segments);
        int[] tokens = new int[visible.length];
        int before = count - (int) queries;
        for (int row = 0; row < visible.length; row += count) {
            int shared = 0;
            int seen = 0;
            for (int key = 0; key < count; key++) {
                int at = row / count * (int) queries + key - before;
                if (key == before || (own != null && key > before && own[at - 1] == ForwardContext.SHARED)) {
                    shared = seen;
                } else if (own != null && key > before && own[at] != own[at - 1]) {
                    seen = shared;
                }
                seen += (int) visible[row + key];
                tokens[row + key] = seen;
            }
        }
        return tokens;
    }

    /** Returns a mask whose scores decrease with the distance of the keys. */
    public AttentionMask biasedBy(Alibi slopes) {
        if (texts != null && (texts.prompt > 0 || keys.size(1) > queries)) {
            return whole().biasedBy(slopes);
        }
        List<@Nullable AttentionMask> own = new ArrayList<>();
        for (AttentionMask row : rows) {
            own.add(row == null ? null : row.biasedBy(slopes));
        }
        return with().alibi(slopes.bias(keys, queries)).rows(own).build();
    }

    /** Returns a mask with which scores fall as they do with another one. */
    private AttentionMask like(AttentionMask other) {
        return other.alibi == null ? this : biasedBy(other.alibi.alibi());
    }

    /**
     * Returns a mask that adds a bias {@code [1, heads, queries, queries]} to the scores of the pass's own keys; for attention without grouped
     * queries.
     */
    public AttentionMask plus(Tensor bias) {
        if (texts != null) {
            return whole().plus(bias);
        }
        long prefix = keys.size(1) - bias.size(3);
        Tensor whole =
                prefix == 0 ? bias : Ops.cat(3, Tensors.zeros(type, 1, bias.size(1), bias.size(2), prefix), bias);
        Tensor sum = additive == null ? whole : additive.add(whole);
        return with().additive(sum).texts(null).build();
    }

    /**
     * Returns values that hide padding from a decoder's queries, {@code [batch, 1, 1, keys]}, for a mask
     * {@code [batch, keys]}.
     */
    public static Tensor hiding(Tensor mask, ScalarType type) {
        Tensor hidden = mask.eq(new Scalar(0L)).unsqueeze(1).unsqueeze(1);
        return Tensors.zeros(type, Tensors.shape(hidden)).masked_fill(hidden, new Scalar(HIDDEN));
    }

    private static boolean startsHidden(long[] visible, int count) {
        for (int first = 0; first < visible.length; first += count) {
            if (visible[first] == 0) {
                return true;
            }
        }
        return false;
    }

    private static long[] padding(long[] visible, int count) {
        long[] padding = new long[visible.length / count];
        for (int row = 0; row < padding.length; row++) {
            int end = count;
            while (end > 0 && visible[row * count + end - 1] == 0) {
                end--;
            }
            padding[row] = (long) count - end;
        }
        return padding;
    }
}
