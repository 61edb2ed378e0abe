package dev.graft.serve.engine;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.Generator;
import dev.graft.peft.AdapterBatch;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the last tokens of a tile's rows through the base, in passes of {@link #TILE} rows, some of which may be idle. Products therefore
 * always have the same shape. Rows are identified by their numbers in the tile.
 */
record Decode(Base base, Generator generator) {
    /** Rows of a pass. */
    static final int TILE = 8;

    private static final Logger LOG = LoggerFactory.getLogger(Decode.class);

    /** Returns the logits {@code [vocabulary]} after the last token of each active row. */
    Map<Integer, float[]> step(AdapterBatch adapterBatch, Map<Integer, Sequence> writing) {
        long[] ids = new long[TILE];
        List<@Nullable ForwardPass> passes = new ArrayList<>(Collections.nCopies(TILE, null));
        writing.forEach((i, sequence) -> {
            ids[i] = sequence.continuation.lastId();
            passes.set(
                    i, ForwardPass.cached(sequence.request.model().selection().hooks(), sequence.cache()));
        });
        try (Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.ragged(adapterBatch.hooks(), passes);
            Tensor mask = Tensors.ones(ScalarType.Long, TILE, 1);
            float[][] logits =
                    generator.lastLogits(base.forward(Inputs.of(Tensors.of(ids, TILE, 1), mask), pass), pass);
            Map<Integer, float[]> each = new LinkedHashMap<>();
            writing.keySet().forEach(i -> each.put(i, logits[i]));
            return each;
        }
    }

    /**
     * Repeats a failed step with a pass for each row.
     *
     * @param failed called with each row that fails again, which has no logits
     */
    Map<Integer, float[]> stepAlone(Map<Integer, Sequence> writing, BiConsumer<Integer, RuntimeException> failed) {
        Map<Integer, float[]> each = new LinkedHashMap<>();
        writing.forEach((i, sequence) -> {
            try (Scope scope = new Scope();
                    AdapterBatch alone = new AdapterBatch(TILE)) {
                sequence.cache().truncate(sequence.lengthBeforePass);
                alone.assign(i, sequence.request.model().selection());
                each.putAll(step(alone, Map.of(i, sequence)));
            } catch (RuntimeException failure) {
                LOG.error(
                        "a text of the adapter {} failed",
                        sequence.request.model().name(),
                        failure);
                failed.accept(i, failure);
            }
        });
        return each;
    }
}
