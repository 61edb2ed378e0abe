package dev.graft.models.forward;

import dev.graft.models.cache.BatchedKvCache;
import dev.graft.models.cache.KvCache;
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

/**
 * The rows of a pass over texts of different lengths, with equally many new tokens of each. Each row has its own pass for operations that mix
 * positions.
 */
public final class RaggedBatch<P extends RaggedBatch.Row> implements ForwardContext.Rows {
    /** The pass of one row. */
    public interface Row {
        ForwardContext context();
    }

    private final List<@Nullable P> rows;
    private BatchedKvCache.@Nullable DecodeStep step;

    /** @param rows the pass of each row; null for rows without a text */
    RaggedBatch(List<@Nullable P> rows) {
        this.rows = rows;
    }

    public List<@Nullable P> rows() {
        return rows;
    }

    /** The next position of the rows, if each adds one token and all are in one {@link BatchedKvCache}; else null. */
    public BatchedKvCache.@Nullable DecodeStep step() {
        return step;
    }

    /** Passes each row's pass its part of {@code [rows, seq]} and the targets of its prompt. */
    @Override
    public void distribute(Tensor tokens, Tensor mask, PromptTargets targets, ScalarType type) {
        step = tokens.size(1) == 1 ? next(type) : null;
        for (int row = 0; row < rows.size(); row++) {
            P rowPass = rows.get(row);
            if (rowPass != null) {
                rowPass.context().setInputs(tokens.narrow(0, row, 1), mask.narrow(0, row, 1), null, 0, targets);
            }
        }
    }

    /**
     * Returns the shared step, in bf16 alone. The summation order of OpenBLAS in fp32 changes with the number of
     * positions; that of oneDNN in bf16 doesn't.
     */
    private BatchedKvCache.@Nullable DecodeStep next(ScalarType type) {
        if (type.value != ScalarType.BFloat16.value) {
            return null;
        }
        BatchedKvCache batchedCache = null;
        boolean[] written = new boolean[rows.size()];
        for (int row = 0; row < written.length; row++) {
            P rowPass = rows.get(row);
            if (rowPass == null) {
                continue;
            }
            KvCache cache = rowPass.context().cache();
            BatchedKvCache its = cache != null && cache.storage() instanceof BatchedKvCache batched ? batched : null;
            if (its == null || (batchedCache != null && its != batchedCache)) {
                return null;
            }
            batchedCache = its;
            written[row] = true;
        }
        return batchedCache == null ? null : batchedCache.nextStep(written, type);
    }

    /** Maps the passes of the chosen rows; null for others. */
    List<@Nullable P> mapRows(IntPredicate wanted, UnaryOperator<P> made) {
        List<@Nullable P> passes = new ArrayList<>();
        for (int row = 0; row < rows.size(); row++) {
            P rowPass = rows.get(row);
            passes.add(rowPass == null || !wanted.test(row) ? null : made.apply(rowPass));
        }
        return passes;
    }

    @Override
    public void end(List<@Nullable Tensor> read) {
        for (int row = 0; row < rows.size(); row++) {
            P rowPass = rows.get(row);
            Tensor its = read.isEmpty() ? null : read.get(row);
            if (rowPass != null && its != null) {
                rowPass.context().end(its, List.of());
            }
        }
    }

    /** The number of positions of earlier passes, without padding, {@code [rows, 1]} int64. */
    @Override
    public Tensor pastLengths() {
        List<Tensor> counts = new ArrayList<>();
        for (P rowPass : rows) {
            Tensor count = rowPass == null ? null : rowPass.context().pastLengths();
            counts.add(count == null ? Tensors.zeros(ScalarType.Long, 1, 1) : count);
        }
        return Ops.cat(0, counts.toArray(Tensor[]::new));
    }

    /** The tokens of the rows so far, {@code [rows, longest]} int64, with -1 before those of shorter ones. */
    @Override
    public Tensor tokens() {
        List<Tensor> texts = new ArrayList<>();
        for (P rowPass : rows) {
            texts.add(
                    rowPass == null
                            ? ForwardContext.noTokens(1, 1)
                            : rowPass.context().tokens());
        }
        long width = texts.stream().mapToLong(text -> text.size(1)).max().orElse(0);
        return Ops.cat(
                0,
                texts.stream()
                        .map(text -> Ops.cat(1, ForwardContext.noTokens(1, width - text.size(1)), text))
                        .toArray(Tensor[]::new));
    }

    /** An operation on a row with its pass. */
    public interface RowStep<P> {
        Tensor apply(Tensor x, P pass);
    }

    /**
     * Maps each row with its own pass; the result is zero for rows without a text.
     *
     * @param x {@code [rows, ...]}; the result has as many rows
     */
    public Tensor mapRows(Tensor x, RowStep<P> made) {
        Tensor[] parts = new Tensor[rows.size()];
        Tensor some = null;
        for (int row = 0; row < parts.length; row++) {
            P rowPass = rows.get(row);
            if (rowPass != null) {
                parts[row] = made.apply(x.narrow(0, row, 1), rowPass);
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
