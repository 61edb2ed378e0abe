package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The examples of each batch of each epoch: a pure function of the lengths, the seed and the epoch. A run can therefore resume at any batch
 * without replaying the earlier ones. The last batch of an epoch may be smaller; none is dropped.
 *
 * <pre>{@code
 * BatchSampler sampler = new BatchSampler(examples.lengths(), 8, ExampleOrder.LENGTH_GROUPED, 42, true);
 * int[][] batches = sampler.epoch(3);
 * }</pre>
 */
public final class BatchSampler {
    private static final int GROUP_BATCHES = 50;

    private final int[] lengths;
    private final int batchSize;
    private final ExampleOrder order;
    private final long seed;
    private final boolean longestFirst;

    /**
     * @param lengths tokens of each example
     * @param longestFirst true to put the batch with the most padded tokens first, so that a lack of memory shows at once and not hours
     *     later; no effect on {@link ExampleOrder#FIXED}
     * @throws dev.graft.formats.InputException if the batch size is below 1
     */
    public BatchSampler(int[] lengths, int batchSize, ExampleOrder order, long seed, boolean longestFirst) {
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

    /** Returns the number of batches in each epoch. */
    public int batchesPerEpoch() {
        return (lengths.length + batchSize - 1) / batchSize;
    }

    /**
     * Returns the indices of the examples in every batch of an epoch, [batch][example].
     *
     * @param epoch the number of the epoch, from 0
     */
    public int[][] epoch(int epoch) {
        SplitMix64 random = SplitMix64.of(seed, epoch);
        int[] rows = IntStream.range(0, lengths.length).toArray();
        if (order != ExampleOrder.FIXED) {
            random.shuffle(rows);
        }
        if (order == ExampleOrder.LENGTH_GROUPED) {
            int group = (int) Math.min(rows.length, (long) GROUP_BATCHES * batchSize);
            for (int start = 0; start < rows.length; start += group) {
                sort(rows, start, Math.min(rows.length, start + group));
            }
        } else if (order == ExampleOrder.LENGTH_SORTED) {
            sort(rows, 0, rows.length);
        }
        int[][] batches = new int[batchesPerEpoch()][];
        for (int i = 0; i < batches.length; i++) {
            int start = i * batchSize;
            batches[i] = Arrays.copyOfRange(rows, start, Math.min(rows.length, start + batchSize));
        }
        if (order == ExampleOrder.LENGTH_GROUPED || order == ExampleOrder.LENGTH_SORTED) {
            shuffle(batches, random);
        }
        if (longestFirst && epoch == 0 && order != ExampleOrder.FIXED) {
            int longest = IntStream.range(0, batches.length)
                    .reduce(0, (a, b) -> paddedTokens(batches[b]) > paddedTokens(batches[a]) ? b : a);
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

    private long paddedTokens(int[] batch) {
        return (long) batch.length
                * Arrays.stream(batch).map(row -> lengths[row]).max().orElse(0);
    }
}
