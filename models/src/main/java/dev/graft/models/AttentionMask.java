package dev.graft.models;

import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Which keys each query sees, worked out once for a pass: what is cached, then the prefix, then the pass's own positions.
 *
 * @param additive {@code [batch or 1, 1 or heads, queries, keys]}: 0 where visible, a very negative number where not; null if all is visible
 * @param keys {@code [batch, keys]} int64: 1 for keys that are not padding
 * @param shift {@code [batch, 1]} int64 to add to positions, or null for none
 * @param ahead {@code [batch, 1]} int64: by how much a prefix moves keys but not queries, or null for nothing
 * @param sees {@code [batch, 1, queries, 1]}: 0 for queries that see no key at all, as before the first token of a row padded on the left:
 *     they attend to nothing, as with PyTorch's {@code scaled_dot_product_attention}; null if there are none
 * @param padding how many keys at the end of each row are padding, where all padding is there; else zeros
 * @param causal whether no query sees a key behind its own position
 * @param queries how many queries there are
 * @param type of the mask's numbers
 * @param reach which of the keys that are visible otherwise a query sees
 * @param segments {@code [batch, queries]} int64, the text of each position where several stand in a row, {@link #SHARED} for a prompt before
 *     them; null for one text a row
 * @param texts the texts of each row, where they alone say who sees whom, with {@code causal}; else null
 * @param alibi what is added to scores by the distance of the keys, or null for nothing
 * @param rows the mask of each row alone in a pass of {@link Pass#ragged} texts, null for rows without a text; empty in others
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one pass, never shared
public record AttentionMask(
        @Nullable Tensor additive,
        @Nullable Tensor sees,
        Tensor keys,
        @Nullable Tensor shift,
        @Nullable Tensor ahead,
        long[] padding,
        boolean causal,
        long queries,
        ScalarType type,
        Reach reach,
        @Nullable Tensor segments,
        @Nullable Texts texts,
        Alibi.@Nullable Bias alibi,
        List<@Nullable AttentionMask> rows) {
    static final double HIDDEN = -1e30;

    /** The segment of a prompt's rows that all texts of a row see, and that see none. */
    static final long SHARED = -1;

    /**
     * Texts that stand one after another.
     *
     * @param ends where each of each row ends, the prompt's among them
     * @param prompt how many positions a prompt has that stands before the first text of each row and that all of them see
     */
    @SuppressWarnings("ArrayRecordComponent") // made once for one pass, never shared
    record Texts(int[][] ends, long prompt) {}

    /**
     * The mask of a pass whose embeddings exist.
     *
     * @param first the first attention layer; null where there is none, before which a prefix could be put
     */
    public static AttentionMask of(@Nullable Attention first, boolean causal, ScalarType type, Pass pass) {
        Context context = pass.context();
        Ragged ragged = context.ragged();
        if (ragged != null) {
            return ragged(first, causal, type, pass, ragged);
        }
        Tensor own = context.mask();
        KvCache cache = context.cache();
        Tensor past = cache == null ? null : cache.mask();
        Tensor keys = past == null ? own : Ops.cat(1, past, own);
        Prefix prefix = past == null && first != null ? pass.hooks().prefix(first, own.size(0), pass) : null;
        Tensor shift = cache == null ? null : cache.shift();
        Tensor ahead = cache == null ? null : cache.ahead();
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
                Reach.ALL,
                segments,
                new Texts(ends(own, width), prompt(own, width)),
                null,
                List.of());
    }

    /** Where the texts of each row end. */
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
        return Arrays.stream(own, 0, width).takeWhile(text -> text == SHARED).count();
    }

    /** The same with an {@code additive} that says all. */
    private AttentionMask whole() {
        return texts == null
                ? this
                : of(keys, queries, causal, type, shift, ahead).apart(segments).like(this);
    }

    private static AttentionMask ragged(
            @Nullable Attention first, boolean causal, ScalarType type, Pass pass, Ragged ragged) {
        pass.context().shareOut(type);
        List<@Nullable AttentionMask> rows = new ArrayList<>();
        long[] shifts = new long[ragged.rows().size()];
        for (Pass own : ragged.rows()) {
            AttentionMask its = own == null ? null : of(first, causal, type, own);
            if (its != null && its.shift != null) {
                shifts[rows.size()] = Tensors.longs(its.shift)[0];
            }
            rows.add(its);
        }
        Tensor shift = Arrays.stream(shifts).allMatch(row -> row == 0) ? null : Tensors.of(shifts, shifts.length, 1);
        Tensor own = pass.context().mask();
        boolean alike = shift == null && rows.stream().allMatch(row -> row != null && row.isOfWholeText());
        return of(own, own.size(1), causal && alike, type, shift, null).over(rows);
    }

    /** Whether nothing but the pass's own positions is seen, none of which is padding. */
    private boolean isOfWholeText() {
        return keys.size(1) == queries
                && segments == null
                && Arrays.stream(Tensors.longs(keys)).allMatch(key -> key == 1);
    }

    /** Whether the rows are whole texts of one length, of which this mask says what they see. */
    boolean isOfAlikeRows() {
        return causal && alibi == null && rows.stream().allMatch(row -> row != null && row.reach.equals(reach));
    }

    /** Whether the query of each row sees all its keys. */
    boolean showsAll() {
        return alibi == null && rows.stream().allMatch(row -> row == null || row.additive == null);
    }

    private AttentionMask over(List<@Nullable AttentionMask> newRows) {
        return new AttentionMask(
                additive, sees, keys, shift, ahead, padding, causal, queries, type, reach, segments, texts, alibi,
                newRows);
    }

    /**
     * The mask for a layer: another one than this where the layer lacks a part of the prefix that the first layer has, or has one that it
     * lacks.
     */
    AttentionMask at(Attention site, Pass pass) {
        if (pass.hooks().isFrozen(site)) {
            return this;
        }
        Prefix prefix = pass.hooks().prefix(site, keys.size(0), pass);
        if (prefix == null || keys.narrow(1, 0, prefix.length()).equal(prefix.mask())) {
            return this;
        }
        long rest = keys.size(1) - prefix.length();
        Tensor own = Ops.cat(1, prefix.mask(), keys.narrow(1, prefix.length(), rest));
        return of(own, queries, causal, type, shift, ahead)
                .apart(segments)
                .within(reach)
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
                Reach.ALL,
                null,
                null,
                null,
                List.of());
    }

    /** The same, where a query sees only keys of its own text, of the prefix and of the prompt. */
    private AttentionMask apart(@Nullable Tensor own) {
        if (own == null) {
            return this;
        }
        long prefix = keys.size(1) - queries;
        Tensor texts = own.unsqueeze(1);
        Tensor other = own.unsqueeze(2)
                .ne(texts)
                .logical_and(texts.ne(new Scalar(SHARED)))
                .unsqueeze(1);
        if (prefix > 0) {
            other = Ops.cat(3, Tensors.zeros(ScalarType.Bool, own.size(0), 1, queries, prefix), other);
        }
        Tensor near = additive == null ? Tensors.zeros(type, 1, 1, 1, keys.size(1)) : additive;
        Tensor apart = near.expand(own.size(0), -1, queries, -1).masked_fill(other, new Scalar(HIDDEN));
        return new AttentionMask(
                apart, sees, keys, shift, ahead, padding, causal, queries, type, reach, own, null, alibi, rows);
    }

    /**
     * The same, where a query sees only keys within its reach. Distances count all keys, padding too; chunks count none that are padding. Each
     * text of a row begins anew behind the prefix and the prompt.
     */
    public AttentionMask within(Reach wanted) {
        if (!rows.isEmpty()) {
            List<@Nullable AttentionMask> near = new ArrayList<>();
            for (AttentionMask row : rows) {
                near.add(row == null ? null : row.within(wanted));
            }
            return over(near);
        }
        long count = keys.size(1);
        if (wanted.form() == Reach.Form.ALL || wanted.size() >= count) {
            return this;
        }
        if (texts != null) {
            return whole().within(wanted);
        }
        Tensor far = wanted.form() == Reach.Form.WINDOW ? outside(wanted.size()) : elsewhere(wanted.size());
        Tensor all = additive == null ? Tensors.zeros(type, 1, 1, 1, count) : additive;
        Tensor near = all.expand(Math.max(all.size(0), far.size(0)), -1, queries, -1)
                .masked_fill(far.unsqueeze(1), new Scalar(HIDDEN));
        return new AttentionMask(
                near, sees, keys, shift, ahead, padding, causal, queries, type, wanted, segments, null, alibi, rows);
    }

    /** Where keys are that many positions away or more, {@code [batch or 1, queries, keys]}. */
    private Tensor outside(long window) {
        long count = keys.size(1);
        Tensor places = segments == null
                ? Tensors.arange(count).unsqueeze(0)
                : Tensors.of(Arrays.stream(tokens((int) count)).asLongStream().toArray(), keys.size(0), count);
        Tensor away = ofQueries(places).unsqueeze(2).sub(places.unsqueeze(1)).abs();
        return away.ge(new Scalar(window));
    }

    /** Where keys are in another chunk, {@code [batch, queries, keys]}. */
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

    /** For each key how many there are up to it, of the prefix, the prompt and its own text, without padding. */
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
                if (key == before || (own != null && key > before && own[at - 1] == SHARED)) {
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

    /** The same, where scores fall with the distance of the keys. */
    public AttentionMask with(Alibi newAlibi) {
        if (texts != null && (texts.prompt > 0 || keys.size(1) > queries)) {
            return whole().with(newAlibi);
        }
        List<@Nullable AttentionMask> own = new ArrayList<>();
        for (AttentionMask row : rows) {
            own.add(row == null ? null : row.with(newAlibi));
        }
        return new AttentionMask(
                additive,
                sees,
                keys,
                shift,
                ahead,
                padding,
                causal,
                queries,
                type,
                reach,
                segments,
                texts,
                newAlibi.over(keys, queries),
                own);
    }

    /** The same, where scores fall as they do with another mask. */
    private AttentionMask like(AttentionMask other) {
        return other.alibi == null ? this : with(other.alibi.alibi());
    }

    /** The same with numbers {@code [1, heads, queries, queries]} added to the scores of its own keys; for attention without grouped queries. */
    public AttentionMask plus(Tensor bias) {
        if (texts != null) {
            return whole().plus(bias);
        }
        long prefix = keys.size(1) - bias.size(3);
        Tensor whole =
                prefix == 0 ? bias : Ops.cat(3, Tensors.zeros(type, 1, bias.size(1), bias.size(2), prefix), bias);
        Tensor sum = additive == null ? whole : additive.add(whole);
        return new AttentionMask(
                sum, sees, keys, shift, ahead, padding, causal, queries, type, reach, segments, null, alibi, rows);
    }

    /** What hides padding from a decoder's queries, {@code [batch, 1, 1, keys]}, for a mask {@code [batch, keys]}. */
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
            padding[row] = count - end;
        }
        return padding;
    }
}
