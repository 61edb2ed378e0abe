package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;

/**
 * Some rows of a product of many. There are so few numbers of rows that a piece has that what is compiled for them serves products of any number:
 * powers of two. The last piece may begin within the one before, and calculates {@code again} rows once more.
 */
record Piece(long start, long rows, long again) {
    private static final long MOST = 512;
    private static final long LEAST = 16;

    /** Pieces of which all together are so many rows. */
    static List<Piece> of(long rows) {
        if (rows < 2 * LEAST) {
            return List.of(new Piece(0, rows, 0));
        }
        List<Piece> pieces = new ArrayList<>();
        for (long done = 0; done < rows; ) {
            long piece = size(rows - done, rows);
            long start = Math.min(done, rows - piece);
            pieces.add(new Piece(start, piece, done - start));
            done = start + piece;
        }
        return pieces;
    }

    /** The next power of two if a quarter of it at most is calculated again, else the one before. */
    private static long size(long left, long rows) {
        long below = Math.min(MOST, Math.max(LEAST, Long.highestOneBit(left)));
        boolean above = 2 * below <= Math.min(MOST, rows) && 2 * left >= 3 * below;
        return above ? 2 * below : below;
    }
}
