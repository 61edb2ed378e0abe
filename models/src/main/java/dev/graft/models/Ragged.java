package dev.graft.models;

import dev.graft.models.sites.PromptTargets;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The rows of a pass over as many tokens each of several texts of different lengths: each has a pass of its own for what mixes positions. */
public final class Ragged {
    private final List<@Nullable Pass> rows;
    private KvTile.@Nullable Step step;

    /** @param rows the pass of each row; null for rows without a text */
    Ragged(List<@Nullable Pass> rows) {
        this.rows = rows;
    }

    List<@Nullable Pass> rows() {
        return rows;
    }

    /** The next position of the rows, where each has one and they stand in one tile; else null. */
    KvTile.@Nullable Step step() {
        return step;
    }

    /** Tells the passes of the rows what each sees, {@code [rows, seq]}, and where each writes. */
    void shareOut(Tensor tokens, Tensor mask, PromptTargets targets, ScalarType type) {
        step = tokens.size(1) == 1 ? next(type) : null;
        for (int row = 0; row < rows.size(); row++) {
            Pass own = rows.get(row);
            if (own != null) {
                own.context().sees(tokens.narrow(0, row, 1), mask.narrow(0, row, 1), null, 0, targets);
            }
        }
    }

    /** In bf16 alone: the order in which OpenBLAS adds up an fp32 product changes with the number of positions, oneDNN's in bf16 doesn't. */
    private KvTile.@Nullable Step next(ScalarType type) {
        if (type.value != ScalarType.BFloat16.value) {
            return null;
        }
        KvTile tile = null;
        boolean[] written = new boolean[rows.size()];
        for (int row = 0; row < written.length; row++) {
            Pass own = rows.get(row);
            if (own == null) {
                continue;
            }
            KvCache cache = own.context().cache();
            KvTile its = cache == null ? null : cache.tile();
            if (its == null || (tile != null && its != tile)) {
                return null;
            }
            tile = its;
            written[row] = true;
        }
        return tile == null ? null : tile.next(written, type);
    }

    /** What is made of the passes of the wanted rows; null for others. */
    List<@Nullable Pass> each(IntPredicate wanted, UnaryOperator<Pass> made) {
        List<@Nullable Pass> passes = new ArrayList<>();
        for (int row = 0; row < rows.size(); row++) {
            Pass own = rows.get(row);
            passes.add(own == null || !wanted.test(row) ? null : made.apply(own));
        }
        return passes;
    }

    /** Ends the passes of the rows, each of which has read what its mask says. */
    void end(List<@Nullable AttentionMask> read) {
        for (int row = 0; row < rows.size(); row++) {
            Pass own = rows.get(row);
            AttentionMask its = read.isEmpty() ? null : read.get(row);
            if (own != null && its != null) {
                own.end(its);
            }
        }
    }

    /** How many positions that aren't padding earlier passes have read, {@code [rows, 1]} int64. */
    Tensor earlier() {
        List<Tensor> counts = new ArrayList<>();
        for (Pass own : rows) {
            Tensor count = own == null ? null : own.context().earlier();
            counts.add(count == null ? Tensors.zeros(ScalarType.Long, 1, 1) : count);
        }
        return Ops.cat(0, counts.toArray(Tensor[]::new));
    }

    /** The tokens of the rows so far, {@code [rows, longest]} int64, with -1 before those of shorter ones. */
    Tensor tokens() {
        List<Tensor> texts = new ArrayList<>();
        for (Pass own : rows) {
            texts.add(own == null ? Context.noTokens(1, 1) : own.context().tokens());
        }
        long width = texts.stream().mapToLong(text -> text.size(1)).max().orElse(0);
        return Ops.cat(
                0,
                texts.stream()
                        .map(text -> Ops.cat(1, Context.noTokens(1, width - text.size(1)), text))
                        .toArray(Tensor[]::new));
    }

    /** What is made of rows by their pass. */
    public interface RowStep {
        Tensor apply(Tensor x, Pass pass);
    }

    /**
     * What is made of each row by its own pass; zeros for rows without a text.
     *
     * @param x {@code [rows, ...]}; the result has as many rows
     */
    public Tensor each(Tensor x, RowStep made) {
        Tensor[] parts = new Tensor[rows.size()];
        Tensor some = null;
        for (int row = 0; row < parts.length; row++) {
            Pass own = rows.get(row);
            if (own != null) {
                parts[row] = made.apply(x.narrow(0, row, 1), own);
                some = parts[row];
            }
        }
        if (some == null) {
            throw new IllegalStateException("no row of the pass has a text");
        }
        for (int row = 0; row < parts.length; row++) {
            parts[row] = parts[row] == null ? Ops.scale(some, 0) : parts[row];
        }
        return Ops.cat(0, parts);
    }
}
