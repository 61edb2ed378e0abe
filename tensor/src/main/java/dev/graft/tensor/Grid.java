package dev.graft.tensor;

import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory.data_type;
import org.bytedeco.pytorch.Tensor;

/**
 * How bf16 matrices stand in memory.
 *
 * @param count how many there are; 0 for one that isn't in a batch
 * @param next how many values behind a matrix's first one that of the next stands
 */
record Grid(long count, long rows, long columns, long next, long row, long column) {
    static Grid of(Tensor x) {
        boolean alone = x.dim() == 2;
        long count = alone ? 0 : x.size(0);
        long rows = x.size(-2);
        long columns = x.size(-1);
        // The stride of a single row, column or matrix says nothing and may be anything.
        return new Grid(
                count,
                rows,
                columns,
                count < 2 ? count * rows * columns : x.stride(0),
                rows == 1 ? columns : x.stride(-2),
                columns == 1 ? 1 : x.stride(-1));
    }

    /** Whether each row's or each column's values stand one after another, and none twice. */
    boolean isPlain() {
        boolean apart = count == 0 || next >= rows * columns;
        return apart && (byRows() || row == 1 && column >= rows);
    }

    boolean byRows() {
        return column == 1 && row >= columns;
    }

    Grid withRows(long others) {
        return new Grid(count, others, columns, next, row, column);
    }

    Grid withColumns(long others) {
        return new Grid(count, rows, others, next, row, column);
    }

    memory.desc desc(data_type type) {
        return count == 0
                ? new memory.desc(new long[] {rows, columns}, type, new long[] {row, column})
                : new memory.desc(new long[] {count, rows, columns}, type, new long[] {next, row, column});
    }
}
