package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.MersenneTwister;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The expected clusters are those of scikit-learn 1.9, the expected random numbers those of NumPy 2.4. */
class KMeansTest {
    private static final int SEED = 123456789;

    @ParameterizedTest
    @CsvSource({
        "30, 4, 3, bbaccacccbabaaaaabbbccccabaccc",
        "50, 3, 5, eeabeacccedaddaadeaebbbcabaccccedebddbeaabaaebaeac",
        "12, 2, 12, ifjcklagbdeh",
        "200, 5, 7,"
                + " bbadcaggebfaeecafbebcccdadeggegcebcfecceacaacdabaeedbegacccbebcaaaebefbbdbcfcceeccbcaagaafeeccbcfbebbbb"
                + "adcaggebfaeecafbebcccdadeggegcebcfecceacaacdabaeedbegacccbebcaaaebefbbdbcfcceeccbcaagaafeeccbcfbe",
    })
    void findsTheClustersOfScikitLearn(int n, int width, int clusters, String expected) {
        double[][] rows = new double[n][width];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < width; j++) {
                rows[i][j] = (i * i * 7 + j * j * 13 + i * j * 5) % 101 / 101f;
            }
        }
        StringBuilder found = new StringBuilder();
        for (int label : KMeans.labels(rows, clusters, 10, SEED)) {
            found.append((char) ('a' + label));
        }

        assertThat(found.toString()).isEqualTo(expected);
    }

    @Test
    void choosesAsNumPyDoes() {
        assertThat(MersenneTwister.of(SEED).nextDouble()).isEqualTo(0.532833024789759);
        assertThat(KMeans.choice(10, 8, MersenneTwister.of(SEED))).containsExactly(5, 7, 2, 8, 1, 6, 4, 9);
        assertThat(KMeans.choice(3000, 6, MersenneTwister.of(SEED))).containsExactly(1598, 1602, 1528, 2140, 770, 2258);
    }

    @Test
    void leavesEqualRowsTogether() {
        assertThat(KMeans.labels(new double[4][3], 2, 10, SEED)).containsOnly(0);
    }
}
