package dev.graft.train.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The expected numbers are what CPython 3.11 printed. */
class PythonRandomTest {

    private static List<Integer> shuffled(int seed, int count) {
        List<Integer> list = new ArrayList<>(IntStream.range(0, count).boxed().toList());
        new PythonRandom(seed).shuffle(list);
        return list;
    }

    @Test
    void bitsAreThoseOfPython() {
        PythonRandom random = new PythonRandom(0);
        assertThat(IntStream.range(0, 5).mapToObj(i -> Integer.toUnsignedLong(random.bits(32))))
                .containsExactly(3626764237L, 1654615998L, 3255389356L, 3823568514L, 1806341205L);
    }

    @Test
    void shufflesAsPythonDoes() {
        assertThat(shuffled(0, 2)).containsExactly(0, 1);
        assertThat(shuffled(0, 15)).containsExactly(1, 10, 9, 5, 11, 2, 3, 7, 8, 4, 0, 14, 12, 6, 13);
        assertThat(shuffled(1, 10)).containsExactly(6, 8, 9, 7, 5, 3, 0, 4, 1, 2);
        assertThat(shuffled(12345, 33))
                .containsExactly(
                        4, 7, 19, 14, 31, 27, 12, 2, 10, 28, 17, 1, 23, 20, 15, 16, 21, 24, 22, 3, 29, 5, 13, 18, 8, 6,
                        11, 9, 25, 30, 32, 0, 26);
    }

    @Test
    void shufflesAsPythonDoesWhenTheStateIsUsedUp() {
        List<Integer> list = shuffled(0, 5000);
        assertThat(list.subList(0, 5)).containsExactly(2795, 4151, 597, 2932, 3289);
        assertThat(list.subList(4995, 5000)).containsExactly(4188, 2121, 331, 3445, 3155);
        assertThat(IntStream.range(0, 5000)
                                .mapToLong(i -> (i + 1L) * list.get(i))
                                .sum()
                        % 1_000_003)
                .isEqualTo(641481);
    }

    @Test
    void aNegativeSeedIsRefused() {
        assertThatThrownBy(() -> new PythonRandom(-1)).hasMessage("seed is -1, expected 0 or more");
    }
}
