package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The expected numbers are those of {@code numpy.random.default_rng} in NumPy 2.4. */
class NumpyRngTest {
    private static long[] numbers(String text) {
        return Stream.of(text.split(" ")).mapToLong(Long::parseLong).toArray();
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0.6369616873214543 0.2697867137638703, 2 0 0 0 1 5 4 6 3, 2605480816 4169308740",
        "7, 0.625095466604667 0.8972138009695755, 4 5 5 1 0 2 1 6 6, 22614309 2146567900",
        "1099511627779, 0.7736560850714245 0.9958573802012665, 2 3 2 0 5 1 0 3 5, 2858928620 3255981165",
    })
    void drawsAsNumpyDoes(long seed, String units, String sevens, String wide) {
        NumpyRng rng = new NumpyRng(seed);

        for (String unit : units.split(" ")) {
            assertThat(rng.nextDouble()).isEqualTo(Double.parseDouble(unit));
        }
        for (long seven : numbers(sevens)) {
            assertThat(rng.nextLong(7)).isEqualTo(seven);
        }
        for (long number : numbers(wide)) {
            assertThat(rng.nextLong(4294967295L)).isEqualTo(number);
        }
    }

    @ParameterizedTest
    @CsvSource({"777, 1 3 5 6 7 9 8 2 4 10 0 11", "1099511627779, 4 2 5 8 6 3 0 7 1"})
    void permutesAsNumpyDoes(long seed, String expected) {
        long[] wanted = numbers(expected);

        assertThat(new NumpyRng(seed).permutation(wanted.length)).isEqualTo(wanted);
    }

    @Test
    void permutesManyAsNumpyDoes() {
        long[] order = new NumpyRng(5).permutation(70001);

        assertThat(Arrays.copyOf(order, 5)).containsExactly(25440, 8030, 4713, 58012, 30844);
        assertThat(IntStream.range(0, order.length)
                        .mapToLong(i -> order[i] * i % 1000003)
                        .sum())
                .isEqualTo(35006477229L);
    }

    @ParameterizedTest
    @CsvSource({
        "10, 10, 4 1 5 9 8 0, 197",
        "100, 6, 57 66 87 89 60 77, 1132",
        "20000, 5, 12500 13682 18894 11565 17943, 157937",
        "20001, 1200, 7916 11262 13048 4901 13617 7438, 7411755449",
    })
    void choosesAsNumpyDoesWithEachOfItsAlgorithms(int n, int size, String first, long weighted) {
        long[] chosen = new NumpyRng(7).choice(n, size);
        long[] wanted = numbers(first);

        assertThat(chosen).hasSize(size).startsWith(wanted);
        assertThat(IntStream.range(0, size).mapToLong(i -> chosen[i] * i).sum()).isEqualTo(weighted);
    }

    @Test
    void refusesWhatNumpyRefuses() {
        assertThatThrownBy(() -> new NumpyRng(-1)).hasMessageContaining("seed").hasMessageContaining("-1");
        assertThatThrownBy(() -> new NumpyRng(1).choice(3, 4)).hasMessageContaining("size is 4");
        assertThatThrownBy(() -> new NumpyRng(1).nextLong(0)).hasMessageContaining("bound is 0");
        assertThat(new NumpyRng(1).choice(1000, 0)).isEmpty();
    }
}
