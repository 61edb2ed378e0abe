package dev.graft.models.arch;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/**
 * A partition of a square grid of patches into square windows.
 *
 * @param side the number of patches per side
 * @param window the number of patches per side of a window, a divisor of the side
 * @param shift the number of patches by which the grid is rolled up and left before the partition
 */
record SwinWindows(int side, int window, int shift) {
    /** The bias of scores between patches that only the shift brought together. */
    private static final float APART = -100;

    int count() {
        return side / window * (side / window);
    }

    /** Reorders rows {@code [images, side², width]} window by window. */
    Tensor cut(Tensor rows) {
        return rows.index_select(1, Tensors.of(order(), order().length));
    }

    /** Restores the order of rows in the grid from that of windows. */
    Tensor put(Tensor rows) {
        long[] order = order();
        long[] back = new long[order.length];
        for (int i = 0; i < order.length; i++) {
            back[(int) order[i]] = i;
        }
        return rows.index_select(1, Tensors.of(back, back.length));
    }

    /** Returns the patch of the grid at each position, window by window. */
    private long[] order() {
        long[] order = new long[side * side];
        for (int i = 0; i < order.length; i++) {
            order[i] = (long) ((row(i) + shift) % side) * side + (column(i) + shift) % side;
        }
        return order;
    }

    private int row(int i) {
        int at = i / (window * window);
        return at / (side / window) * window + i % (window * window) / window;
    }

    private int column(int i) {
        int at = i / (window * window);
        return at % (side / window) * window + i % window;
    }

    /**
     * Returns the bias of scores.
     *
     * @param table a number for each distance and head, {@code [(2 window - 1)², heads]}
     * @return {@code [windows, heads, window², window²]}, of one window if nothing is shifted
     */
    Tensor bias(Tensor table) {
        int points = window * window;
        long[] distances = new long[points * points];
        for (int a = 0; a < points; a++) {
            for (int b = 0; b < points; b++) {
                int down = a / window - b / window + window - 1;
                int right = a % window - b % window + window - 1;
                distances[a * points + b] = (long) down * (2 * window - 1) + right;
            }
        }
        Tensor near = table.index_select(0, Tensors.of(distances, distances.length))
                .view(1, points, points, table.size(1))
                .permute(0, 3, 1, 2);
        if (shift == 0) {
            return near;
        }
        float[] apart = new float[count() * points * points];
        for (int i = 0; i < apart.length; i++) {
            int first = i / (points * points) * points;
            int a = first + i / points % points;
            int b = first + i % points;
            apart[i] = region(row(a)) == region(row(b)) && region(column(a)) == region(column(b)) ? 0 : APART;
        }
        return near.add(Ops.to(Tensors.of(apart, count(), 1, points, points), table.scalar_type()));
    }

    /**
     * Returns the region of an axis that a position belongs to after the shift; neighbouring regions have different
     * numbers.
     */
    private int region(int at) {
        return at < side - window ? 0 : at < side - shift ? 1 : 2;
    }

    /**
     * Joins rows {@code [images, side², width]} by squares of four: {@code [images, side² / 4, 4 width]}, column by
     * column of a square.
     */
    static Tensor byFours(Tensor rows, int side) {
        Tensor[] corners = new Tensor[4];
        for (int corner = 0; corner < 4; corner++) {
            long[] places = new long[side * side / 4];
            for (int i = 0; i < places.length; i++) {
                int row = 2 * (i / (side / 2)) + corner % 2;
                int column = 2 * (i % (side / 2)) + corner / 2;
                places[i] = (long) row * side + column;
            }
            corners[corner] = rows.index_select(1, Tensors.of(places, places.length));
        }
        return Ops.cat(-1, corners);
    }
}
