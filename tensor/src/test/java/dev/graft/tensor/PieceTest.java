package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class PieceTest {
    @Test
    void piecesAreAllRowsAndFewAreCalculatedAgain() {
        Set<Long> sizes = new TreeSet<>();
        for (long rows = 1; rows < 3000; rows++) {
            long done = 0;
            for (Piece piece : Piece.of(rows)) {
                assertThat(piece.start()).isEqualTo(done - piece.again()).isNotNegative();
                assertThat(piece.again()).isLessThan(Math.max(16, piece.rows() / 4 + 1));
                done = piece.start() + piece.rows();
                if (rows >= 32) {
                    sizes.add(piece.rows());
                }
            }
            assertThat(done).isEqualTo(rows);
        }
        assertThat(sizes).containsExactly(16L, 32L, 64L, 128L, 256L, 512L);
    }
}
