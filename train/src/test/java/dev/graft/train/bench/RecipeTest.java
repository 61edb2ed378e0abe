package dev.graft.train.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RecipeTest {
    /** Row k has the k-th of these lengths. */
    private static List<Example> rows(int... lengths) {
        return IntStream.range(0, lengths.length)
                .mapToObj(i -> new Example(i, new int[lengths[i]], null, new Target.ClassId(0)))
                .toList();
    }

    private static List<List<Integer>> numbers(List<List<Example>> batches) {
        return batches.stream()
                .map(batch -> batch.stream().map(Example::row).toList())
                .toList();
    }

    @Test
    void theDefaultIsTheOrderOfTheFileWhichStartsAnewAtItsEnd() {
        assertThat(numbers(Recipe.DEFAULT.batches(rows(9, 3, 7), 2, 4)))
                .containsExactly(List.of(0, 1), List.of(2, 0), List.of(1, 2), List.of(0, 1));
    }

    /**
     * What the peer's script gives for the same lengths:
     * {@code rows = list(enumerate([9, 3, 7, 3, 5])); rows = (rows * 3)[:10]; rows.sort(key=lambda r: r[1]); batches of 2; shuffle}.
     */
    @Test
    void tunedBatchesAreThoseOfThePeer() {
        assertThat(numbers(Recipe.TUNED.batches(rows(9, 3, 7, 3, 5), 2, 5))).containsExactlyElementsOf(TUNED);
    }

    private static final List<List<Integer>> TUNED =
            List.of(List.of(4, 4), List.of(1, 3), List.of(1, 3), List.of(0, 0), List.of(2, 2));
}
