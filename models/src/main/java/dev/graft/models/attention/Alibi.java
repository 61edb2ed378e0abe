package dev.graft.models.attention;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Attention with linear biases (Press et al., 2022) in place of positions. In each head a score decreases by the head's slope for every position
 * between query and key.
 *
 * @param slopes one for each head
 * @param skipsPadding whether padding has no positions
 * @param rounded null for exact biases, else a factor. A bias is then the bf16 product of the key's position, the bf16 slope and this factor, so
 *     scores decrease in steps that grow along the text.
 */
public record Alibi(
        List<Double> slopes, boolean skipsPadding, @Nullable Double rounded) {
    public Alibi {
        slopes = List.copyOf(slopes);
    }

    /** Creates biases of the exact distance. */
    public Alibi(List<Double> slopes, boolean counted) {
        this(slopes, counted, null);
    }

    /**
     * Returns the biases of Falcon's RW models, in bf16 for any type of model. Positions count from the first one that isn't padding; biases are
     * multiplied by a factor.
     */
    public static Alibi rounded(int heads, double factor) {
        return new Alibi(of(heads, 8, true).slopes, true, factor);
    }

    /**
     * Returns biases with the slopes {@code 2^(-most · k / n)} for k from 1 to n, the largest power of two up to the number of heads. The
     * remaining heads use every other slope of 2 n heads.
     *
     * @param most the exponent of the flattest slope, 8 in the paper
     */
    public static Alibi of(int heads, double most, boolean counted) {
        int n = Integer.highestOneBit(heads);
        List<Double> slopes = new ArrayList<>();
        for (int head = 0; head < heads; head++) {
            double share = head < n ? (head + 1.0) / n : (2 * (head - n) + 1) / (2.0 * n);
            slopes.add(Math.pow(2, -most * share));
        }
        return new Alibi(slopes, counted);
    }

    /**
     * Returns the bias of a pass.
     *
     * @param keys {@code [batch, keys]} int64, 0 for padding
     * @param queries the number of last keys that belong to queries
     */
    AlibiBias bias(Tensor keys, long queries) {
        Tensor places = skipsPadding
                ? Ops.plusLong(keys.cumsum(1), -1)
                : Tensors.arange(keys.size(1)).unsqueeze(0);
        float[] each = new float[slopes.size()];
        for (int head = 0; head < each.length; head++) {
            each[head] = slopes.get(head).floatValue();
        }
        return new AlibiBias(this, Tensors.of(each, each.length), Ops.to(places, ScalarType.Float), queries);
    }

    /**
     * The biases of a pass. They are computed on use, since they are as many as the scores.
     *
     * @param slopes {@code [heads]} fp32
     * @param places the positions of the keys, {@code [batch or 1, keys]} fp32
     * @param queries the number of last keys that belong to queries
     */
    record AlibiBias(Alibi alibi, Tensor slopes, Tensor places, long queries) {
        /**
         * Adds the biases to some scores.
         *
         * @param scores {@code [rows, kvHeads, group, queries, keys]}; keys beyond the known positions are hidden
         * @param row the first row of the batch
         * @param query the first query
         * @param key the first key
         */
        void addTo(Tensor scores, long row, long query, long key) {
            long all = places.size(1);
            long seen = Math.min(scores.size(4), all - key);
            Tensor own = places.size(0) == 1 ? places : places.narrow(0, row, scores.size(0));
            Tensor from = own.narrow(1, all - queries + query, scores.size(3)).unsqueeze(2);
            add(scores.narrow(4, 0, seen), own.narrow(1, key, seen).unsqueeze(1), from);
        }

        /**
         * Adds the biases to the scores of one query in each row.
         *
         * @param scores {@code [rows, kvHeads, group, keys]}
         * @param behind the number of keys before each query
         */
        void addTo(Tensor scores, long... behind) {
            Tensor from = Ops.to(Tensors.of(behind, behind.length, 1, 1), ScalarType.Float);
            add(scores.unsqueeze(3), Ops.to(Tensors.arange(scores.size(3)).view(1, 1, -1), ScalarType.Float), from);
        }

        /**
         * Adds them.
         *
         * @param to where keys stand, {@code [rows or 1, 1, keys]}
         * @param from where queries do, {@code [rows or 1, queries, 1]}
         */
        private void add(Tensor scores, Tensor to, Tensor from) {
            Tensor each = slopes.view(scores.size(1), scores.size(2), 1, 1);
            Double factor = alibi.rounded;
            Tensor bias;
            if (factor == null) {
                bias = to.sub(from).unsqueeze(1).unsqueeze(1).mul(each);
            } else {
                Tensor places = Ops.to(to, ScalarType.BFloat16).unsqueeze(1).unsqueeze(1);
                bias = Ops.scale(Ops.to(places.mul(Ops.to(each, ScalarType.BFloat16)), ScalarType.Float), factor);
            }
            scores.add_(Ops.to(bias, scores.scalar_type()));
        }
    }
}
