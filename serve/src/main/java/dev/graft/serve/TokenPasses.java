package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.generate.Generator;
import dev.graft.peft.Slots;
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
 * Runs the last tokens of a tile's rows through the base, by passes of {@link #TILE} rows of which some may be idle, so that products have one
 * shape whoever writes. Rows are told by their numbers in the tile.
 */
record TokenPasses(Base base, Generator generator) {
    /** Rows of a pass. */
    static final int TILE = 8;

    private static final Logger LOG = LoggerFactory.getLogger(TokenPasses.class);

    /** The logits behind the last token of each row that writes. */
    Map<Integer, float[]> step(Slots slots, Map<Integer, Row> writing) {
        long[] ids = new long[TILE];
        List<@Nullable Pass> passes = new ArrayList<>(Collections.nCopies(TILE, null));
        writing.forEach((i, row) -> {
            ids[i] = row.text.last();
            passes.set(i, Pass.cached(row.ask.adapter().selection().hooks(), row.cache()));
        });
        try (Scope scope = new Scope()) {
            Pass pass = Pass.ragged(slots.hooks(), passes);
            Tensor mask = Tensors.ones(ScalarType.Long, TILE, 1);
            float[][] logits = generator.lastLogits(base.hidden(Inputs.of(Tensors.of(ids, TILE, 1), mask), pass), pass);
            Map<Integer, float[]> each = new LinkedHashMap<>();
            writing.keySet().forEach(i -> each.put(i, logits[i]));
            return each;
        }
    }

    /**
     * After a pass that failed: the same step for each row by a pass of its own.
     *
     * @param failed hears of those that fail again, which have no logits
     */
    Map<Integer, float[]> eachAlone(Map<Integer, Row> writing, BiConsumer<Integer, RuntimeException> failed) {
        Map<Integer, float[]> each = new LinkedHashMap<>();
        writing.forEach((i, row) -> {
            try (Scope scope = new Scope();
                    Slots alone = new Slots(TILE)) {
                row.cache().cut(row.written);
                alone.put(i, row.ask.adapter().selection());
                each.putAll(step(alone, Map.of(i, row)));
            } catch (RuntimeException failure) {
                LOG.error("a text of the adapter {} failed", row.ask.adapter().name(), failure);
                failed.accept(i, failure);
            }
        });
        return each;
    }
}
