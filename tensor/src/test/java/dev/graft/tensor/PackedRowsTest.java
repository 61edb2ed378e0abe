package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackedRowsTest {
    private static final int ROWS = 6;
    private static final Rng RNG = Rng.of(7, "packed-rows");

    private static Tensor random(long... shape) {
        return Ops.to(RNG.normal(0, 1, shape), ScalarType.BFloat16);
    }

    private static PackedRows zeros(long in, long out) {
        assumeThat(PackedRows.areThere(ScalarType.BFloat16))
                .as("bf16 products of oneDNN's on this processor")
                .isTrue();
        return PackedRows.zeros(ROWS, in, out);
    }

    /** For each row its number of columns of another width, of which some fill no block of 16. */
    @ParameterizedTest
    @CsvSource({"40, 8", "576, 16", "33, 24", "576, 48", "100, 64", "1536, 80", "64, 192"})
    void eachTextIsMultipliedByItsOwnMatrixWhateverItsNeighboursAndTokens(long in, long out) {
        int threads = Natives.threads();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                PackedRows rows = zeros(in, out)) {
            Tensor given = RNG.normal(0, 1, ROWS, out, in);
            Tensor matrices = Ops.to(given, ScalarType.BFloat16);
            for (int row = 0; row < ROWS; row++) {
                rows.put(row, (row % 2 == 0 ? given : matrices).select(0, row));
            }
            Tensor x = random(ROWS, 20, in);
            Tensor all = rows.times(x, 0);
            Tensor expected = Ops.to(x, ScalarType.Float)
                    .bmm(Ops.to(matrices, ScalarType.Float).transpose(1, 2));
            double error =
                    Ops.to(all, ScalarType.Float).sub(expected).abs().max().item_double()
                            / expected.abs().max().item_double();
            assertThat(error).isLessThan(0.005);
            for (int used : new int[] {1, threads}) {
                Natives.threads(used);
                for (int first = 0; first < ROWS; first++) {
                    for (int texts = 1; texts <= ROWS - first; texts++) {
                        for (int tokens : new int[] {1, 2, 7, 20}) {
                            Tensor some = x.narrow(0, first, texts).narrow(1, 0, tokens);
                            assertThat(rows.times(some, first)
                                            .equal(all.narrow(0, first, texts).narrow(1, 0, tokens)))
                                    .isTrue();
                        }
                    }
                }
            }
        } finally {
            Natives.threads(threads);
        }
    }

    @Test
    void aRowThatIsClearedGivesZerosAndLeavesTheOthers() {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                PackedRows rows = zeros(40, 16)) {
            rows.put(1, random(16, 40));
            rows.put(2, random(16, 40));
            Tensor x = random(ROWS, 1, 40);
            Tensor before = rows.times(x, 0);
            rows.clear(1);
            Tensor after = rows.times(x, 0);
            assertThat(after.select(0, 1).abs().max().item_double()).isZero();
            assertThat(after.select(0, 2).equal(before.select(0, 2))).isTrue();
            assertThat(before.select(0, 2).abs().max().item_double()).isPositive();
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (Scope scope = new Scope();
                PackedRows rows = zeros(40, 16)) {
            assertThatThrownBy(() -> rows.put(0, random(40, 16)))
                    .hasMessageContaining("doesn't fit matrices of 16 x 40");
            assertThatThrownBy(() -> rows.times(random(2, 1, 40), ROWS - 1)).hasMessageContaining("for 6 rows");
            assertThatThrownBy(() -> rows.times(RNG.normal(0, 1, 1, 1, 40), 0))
                    .hasMessageContaining("Float [1, 1, 40]");
        }
    }
}
