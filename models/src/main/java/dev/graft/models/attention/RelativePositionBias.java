package dev.graft.models.attention;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Embedding;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/**
 * T5's relative positions (Raffel et al., 2020): a bias for each head by the distance from the query to the key. Half of the buckets are for
 * single distances. The others cover ranges of growing length, the last one all larger distances. An encoder uses half of the buckets for each
 * direction.
 *
 * @param table {@code [buckets, heads]}
 * @param bothWays whether keys behind the query have buckets, as in an encoder
 * @param farthest the distance at which the last bucket begins
 */
public record RelativePositionBias(Embedding table, boolean bothWays, int farthest) {
    /**
     * Returns the bias {@code [batch or 1, heads, queries, keys]} of queries that follow the keys of earlier passes. The last query is at the
     * last key, unless a prefix moves only keys.
     */
    public Tensor of(long queries, AttentionMask mask, ForwardPass pass) {
        long keys = mask.keys().size(1);
        Tensor moved = mask.keyShift();
        long[] ahead = moved == null ? new long[] {0} : Tensors.longs(moved.view(-1));
        long[] distinct = Arrays.stream(ahead).distinct().toArray();
        Tensor[] each = Arrays.stream(distinct)
                .mapToObj(by -> of(queries, keys, by, pass))
                .toArray(Tensor[]::new);
        if (each.length == 1) {
            return each[0];
        }
        long[] rows = Arrays.stream(ahead)
                .map(by -> Arrays.stream(distinct).boxed().toList().indexOf(by))
                .toArray();
        return pass.segment(() -> new Tensor[] {Ops.cat(0, each).index_select(0, Tensors.of(rows, rows.length))})[0];
    }

    private Tensor of(long queries, long keys, long ahead, ForwardPass pass) {
        return pass.segment(() -> {
            long[] buckets = new long[Math.toIntExact(queries * keys)];
            for (int q = 0; q < queries; q++) {
                for (int k = 0; k < keys; k++) {
                    buckets[(int) (q * keys) + k] = bucket(k - (q + keys - queries) + ahead);
                }
            }
            // One row for the hooks, which count rows of a batch: positions are the same in all of them.
            Tensor ids = Tensors.of(buckets, 1, buckets.length);
            return new Tensor[] {
                pass.hooks()
                        .embedding(table, ids, pass)
                        .view(queries, keys, table.hidden())
                        .permute(2, 0, 1)
                        .unsqueeze(0)
            };
        })[0];
    }

    /** Returns the bucket of a key at that distance behind the query. */
    long bucket(long offset) {
        long buckets = bothWays ? table.rows() / 2 : table.rows();
        long first = bothWays && offset > 0 ? buckets : 0;
        long distance = bothWays ? Math.abs(offset) : Math.max(0, -offset);
        long single = buckets / 2;
        if (distance < single) {
            return first + distance;
        }
        // In fp32, as the reference computes it: at the edges of a range the type decides.
        float share = (float) Math.log((float) distance / single) / (float) Math.log((double) farthest / single);
        long range = single + (long) (share * (buckets - single));
        return first + Math.min(buckets - 1, range);
    }
}
