package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which examples form which batch in which epoch: a pure function of the lengths, the seed and the epoch, so that a run resumes at any
 * batch without replaying what came before. The last batch of an epoch may be smaller; none is dropped.
 *
 * <pre>{@code
 * BatchPlan plan = new BatchPlan(examples.lengths(), 8, Order.LENGTH_GROUPED, 42, true);
 * int[][] batches = plan.epoch(3);
 * }</pre>
 */
public final class BatchPlan {
    private static final int GROUP_BATCHES = 50;

    private final int[] lengths;
    private final int batchSize;
    private final Order order;
    private final long seed;
    private final boolean longestFirst;

    /**
     * @param lengths tokens of each example
     * @param longestFirst whether the very first batch is the one with the most padded tokens, so that a lack of memory shows at once
     *     and not hours later; no effect on {@link Order#FIXED}
     */
    public BatchPlan(int[] lengths, int batchSize, Order order, long seed, boolean longestFirst) {
        if (batchSize < 1) {
            throw new InputException("batch_size is " + batchSize + ", expected 1 or more");
        }
        if (lengths.length == 0) {
            throw new InputException("there are no rows to make batches of");
        }
        this.lengths = lengths.clone();
        this.batchSize = batchSize;
        this.order = order;
        this.seed = seed;
        this.longestFirst = longestFirst;
    }

    /** Batches in each epoch. */
    public int batchesPerEpoch() {
        return (lengths.length + batchSize - 1) / batchSize;
    }

    /** The examples of every batch of an epoch, counted from 0. */
    public int[][] epoch(int epoch) {
        SplitMix64 random = SplitMix64.of(seed, epoch);
        int[] rows = IntStream.range(0, lengths.length).toArray();
        if (order != Order.FIXED) {
            random.shuffle(rows);
        }
        if (order == Order.LENGTH_GROUPED) {
            int group = (int) Math.min(rows.length, (long) GROUP_BATCHES * batchSize);
            for (int start = 0; start < rows.length; start += group) {
                sort(rows, start, Math.min(rows.length, start + group));
            }
        } else if (order == Order.LENGTH_SORTED) {
            sort(rows, 0, rows.length);
        }
        int[][] batches = new int[batchesPerEpoch()][];
        for (int i = 0; i < batches.length; i++) {
            int start = i * batchSize;
            batches[i] = Arrays.copyOfRange(rows, start, Math.min(rows.length, start + batchSize));
        }
        if (order == Order.LENGTH_GROUPED || order == Order.LENGTH_SORTED) {
            shuffle(batches, random);
        }
        if (longestFirst && epoch == 0 && order != Order.FIXED) {
            int longest = IntStream.range(0, batches.length)
                    .reduce(0, (a, b) -> padded(batches[b]) > padded(batches[a]) ? b : a);
            int[] first = batches[0];
            batches[0] = batches[longest];
            batches[longest] = first;
        }
        return batches;
    }

    /** Longest first; equal lengths keep their order. */
    private void sort(int[] rows, int from, int to) {
        int[] sorted = Arrays.stream(rows, from, to)
                .boxed()
                .sorted((a, b) -> Integer.compare(lengths[b], lengths[a]))
                .mapToInt(Integer::intValue)
                .toArray();
        System.arraycopy(sorted, 0, rows, from, sorted.length);
    }

    private static void shuffle(int[][] batches, SplitMix64 random) {
        int[] order = IntStream.range(0, batches.length).toArray();
        random.shuffle(order);
        int[][] unshuffled = batches.clone();
        for (int i = 0; i < order.length; i++) {
            batches[i] = unshuffled[order[i]];
        }
    }

    private long padded(int[] batch) {
        return (long) batch.length
                * Arrays.stream(batch).map(row -> lengths[row]).max().orElse(0);
    }
}
