package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class BatchSamplerTest {

    @Property(tries = 300)
    void everyRowIsInOneBatchOfEveryEpoch(
            @ForAll @Size(min = 1, max = 400) List<@IntRange(min = 1, max = 50) Integer> lengths,
            @ForAll @IntRange(min = 1, max = 9) int batchSize,
            @ForAll ExampleOrder order,
            @ForAll long seed) {
        int[] lengthArray = lengths.stream().mapToInt(Integer::intValue).toArray();
        BatchSampler sampler = new BatchSampler(lengthArray, batchSize, order, seed, true);
        for (int epoch = 0; epoch < 3; epoch++) {
            int[][] batches = sampler.epoch(epoch);
            assertThat(batches).hasNumberOfRows(sampler.batchesPerEpoch());
            assertThat(Arrays.stream(batches)
                            .flatMapToInt(Arrays::stream)
                            .sorted()
                            .toArray())
                    .isEqualTo(IntStream.range(0, lengths.size()).toArray());
            assertThat(Arrays.stream(batches))
                    .allMatch(batch -> batch.length == batchSize || batch.length == lengths.size() % batchSize);
            assertThat(sampler.epoch(epoch)).isDeepEqualTo(batches);
            assertThat(new BatchSampler(lengthArray, batchSize, order, seed, true).epoch(epoch))
                    .isDeepEqualTo(batches);
        }
    }

    private static int[] lengths(int rows) {
        SplittableRandom random = new SplittableRandom(1);
        return IntStream.range(0, rows).map(row -> 8 + random.nextInt(500)).toArray();
    }

    private static long padded(int[][] batches, int[] lengths) {
        return Arrays.stream(batches)
                .mapToLong(batch -> (long) batch.length
                        * Arrays.stream(batch).map(row -> lengths[row]).max().orElseThrow())
                .sum();
    }

    @Test
    void groupingByLengthSavesPaddingAndStillMixes() {
        int[] lengths = lengths(1000);
        long real = Arrays.stream(lengths).sum();
        BatchSampler grouped = new BatchSampler(lengths, 4, ExampleOrder.LENGTH_GROUPED, 3, false);
        long shuffledTokens = padded(new BatchSampler(lengths, 4, ExampleOrder.SHUFFLED, 3, false).epoch(0), lengths);
        long groupedTokens = padded(grouped.epoch(0), lengths);
        long sortedTokens =
                padded(new BatchSampler(lengths, 4, ExampleOrder.LENGTH_SORTED, 3, false).epoch(0), lengths);
        assertThat(shuffledTokens).isGreaterThan(real * 13 / 10);
        assertThat(groupedTokens).isLessThan(real * 105 / 100);
        assertThat(sortedTokens).isLessThan(groupedTokens);
        assertThat(grouped.epoch(0)).isNotEqualTo(grouped.epoch(1));
    }

    @Test
    void theLongestBatchComesFirstButOnlyOnce() {
        int[] lengths = lengths(100);
        for (ExampleOrder order :
                List.of(ExampleOrder.SHUFFLED, ExampleOrder.LENGTH_GROUPED, ExampleOrder.LENGTH_SORTED)) {
            int[][] first = new BatchSampler(lengths, 8, order, 5, true).epoch(0);
            long largest = Arrays.stream(first)
                    .mapToLong(batch -> padded(new int[][] {batch}, lengths))
                    .max()
                    .orElseThrow();
            assertThat(padded(new int[][] {first[0]}, lengths)).isEqualTo(largest);
            assertThat(new BatchSampler(lengths, 8, order, 5, true).epoch(1))
                    .isDeepEqualTo(new BatchSampler(lengths, 8, order, 5, false).epoch(1));
        }
    }

    @Test
    void fixedOrderIsTheOrderOfTheFile() {
        int[][] batches = new BatchSampler(new int[] {3, 9, 1, 4, 4}, 2, ExampleOrder.FIXED, 1, true).epoch(7);
        assertThat(batches).isDeepEqualTo(new int[][] {{0, 1}, {2, 3}, {4}});
    }

    @Test
    void aBatchLargerThanTheDataIsOneBatchAndNonsenseIsRefused() {
        assertThat(new BatchSampler(new int[] {1, 2}, 1000, ExampleOrder.SHUFFLED, 1, true).epoch(0))
                .hasDimensions(1, 2);
        assertThat(new BatchSampler(new int[] {1, 2}, Integer.MAX_VALUE / 2, ExampleOrder.LENGTH_GROUPED, 1, true)
                        .epoch(0))
                .hasDimensions(1, 2);
        assertThatThrownBy(() -> new BatchSampler(new int[] {1}, 0, ExampleOrder.FIXED, 1, true))
                .isInstanceOf(InputException.class)
                .hasMessage("batch_size is 0, expected 1 or more");
        assertThatThrownBy(() -> new BatchSampler(new int[0], 1, ExampleOrder.FIXED, 1, true))
                .hasMessageContaining("no rows");
    }

    /** The first numbers of SplitMix64 as published by its authors, and an order that must never change: runs resume across versions. */
    @Test
    void theGeneratorIsSplitmix64AndTheShuffleIsFrozen() {
        SplitMix64 random = new SplitMix64(1234567);
        assertThat(random.next()).isEqualTo(6457827717110365317L);
        assertThat(random.next()).isEqualTo(3203168211198807973L);
        assertThat(Long.toUnsignedString(random.next())).isEqualTo("9817491932198370423");
        assertThat(new SplittableRandom(42).nextLong()).isEqualTo(new SplitMix64(42).next());
        int[][] batches = new BatchSampler(new int[10], 10, ExampleOrder.SHUFFLED, 42, false).epoch(1);
        assertThat(batches[0]).containsExactly(3, 0, 1, 7, 4, 5, 2, 8, 6, 9);
    }

    @Test
    void theShuffleIsEven() {
        int[][] counts = new int[5][5];
        for (int epoch = 0; epoch < 20_000; epoch++) {
            int[] order = new BatchSampler(new int[5], 5, ExampleOrder.SHUFFLED, 9, false).epoch(epoch)[0];
            for (int i = 0; i < 5; i++) {
                counts[i][order[i]]++;
            }
        }
        assertThat(Arrays.stream(counts).flatMapToInt(Arrays::stream)).allMatch(count -> Math.abs(count - 4000) < 250);
    }

    @Test
    void batchesArePaddedByLengthAndCountWhatTheLossSees() {
        Example first = new Example(7, new int[] {5, 0, 6}, null, new Target.Tokens(new int[] {5, -100, 6}));
        Example second = new Example(2, new int[] {8, 9}, null, new Target.Tokens(new int[] {-100, 9}));
        Batch batch = Batch.of(List.of(first, second), 0);
        assertThat(batch.ids()).containsExactly(5, 0, 6, 8, 9, 0);
        assertThat(batch.attentionMask()).containsExactly(1, 1, 1, 1, 1, 0);
        assertThat(((BatchTargets.Tokens) batch.targets()).labels()).containsExactly(5, -100, 6, -100, 9, -100);
        assertThat(batch.realTokens()).isEqualTo(5);
        assertThat(batch.lossTerms())
                .as("the label of position 0 is predicted by nothing")
                .isEqualTo(2);
        assertThat(batch.rowIndices()).containsExactly(7, 2);
        assertThat(batch.isPadded()).isTrue();
        assertThat(batch.typeIds()).isNull();
    }

    @Test
    void classesScoresAndSetsHaveTheirLayouts() {
        int[] ids = {1, 2};
        Example one = new Example(0, ids, new int[] {0, 1}, new Target.ClassId(3));
        Batch classes = Batch.of(List.of(one, one), 0);
        assertThat(((BatchTargets.ClassIds) classes.targets()).ids()).containsExactly(3, 3);
        assertThat(classes.typeIds()).containsExactly(0, 1, 0, 1);
        assertThat(classes.lossTerms()).isEqualTo(2);
        assertThat(classes.isPadded()).isFalse();
        Example score = new Example(0, ids, null, new Target.Score(0.5f));
        assertThat(((BatchTargets.Scores) Batch.of(List.of(score), 0).targets()).values())
                .containsExactly(0.5f);
        Example hot = new Example(0, ids, null, new Target.MultiHot(new float[] {0, 1}));
        assertThat(((BatchTargets.MultiHot) Batch.of(List.of(hot, hot), 0).targets()).values())
                .containsExactly(0, 1, 0, 1);
        assertThatThrownBy(() -> Batch.of(List.of(one, score), 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
