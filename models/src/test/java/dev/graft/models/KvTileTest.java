package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** Texts that are written in the rows of a tile, beyond its first 64 positions, go on as if alone. */
class KvTileTest {
    private static final Base BASE = Base.load(Fixtures.folder("llama-gqa"));
    private static final int[] LENGTHS = {3, 60, 0, 70};
    private static final int NEW = 9;

    private static int[] text(int row) {
        return new Random(row)
                .ints(LENGTHS[row] + NEW, 1, BASE.backbone().vocabSize())
                .toArray();
    }

    private static void read(KvCache cache, int[] text, int count) {
        long[] ids = new long[count];
        for (int i = 0; i < count; i++) {
            ids[i] = text[i];
        }
        Tensor mask = Tensors.ones(ScalarType.Long, 1, count);
        BASE.hidden(
                new Inputs(Tensors.of(ids, 1, count), mask, null, cache.positions(mask)),
                Pass.cached(Hooks.NONE, cache));
    }

    /** The logits of each step, row by row, of the texts in those rows. */
    private static List<float[][]> written(List<Integer> rows) {
        KvTile tile = new KvTile(LENGTHS.length);
        KvCache[] caches = new KvCache[LENGTHS.length];
        List<float[][]> steps = new ArrayList<>();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            for (int row : rows) {
                caches[row] = tile.row(row, LENGTHS[row] + NEW);
                read(caches[row], text(row), LENGTHS[row]);
            }
            for (int step = 0; step < NEW; step++) {
                long[] ids = new long[LENGTHS.length];
                List<Pass> passes = new ArrayList<>();
                for (int row = 0; row < LENGTHS.length; row++) {
                    passes.add(caches[row] == null ? null : Pass.cached(Hooks.NONE, caches[row]));
                    ids[row] = caches[row] == null ? 0 : text(row)[LENGTHS[row] + step];
                }
                Tensor mask = Tensors.ones(ScalarType.Long, LENGTHS.length, 1);
                Tensor logits = BASE.logits(
                        Inputs.of(Tensors.of(ids, LENGTHS.length, 1), mask), Pass.ragged(Hooks.NONE, passes));
                float[][] each = new float[LENGTHS.length][];
                for (int row : rows) {
                    each[row] = Tensors.floats(logits.select(0, row));
                }
                steps.add(each);
            }
        }
        for (int row : rows) {
            caches[row].close();
        }
        return steps;
    }

    @Test
    void aRowGivesWhatItsTextGivesAlone() {
        List<float[][]> steps = written(List.of(0, 1, 3));
        for (int row : List.of(0, 1, 3)) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                int[] text = text(row);
                long[] ids = new long[text.length];
                for (int i = 0; i < ids.length; i++) {
                    ids[i] = text[i];
                }
                Tensor logits = BASE.logits(
                        Inputs.of(Tensors.of(ids, 1, ids.length), Tensors.ones(ScalarType.Long, 1, ids.length)),
                        Pass.inference(Hooks.NONE));
                for (int step = 0; step < NEW; step++) {
                    assertThat(steps.get(step)[row])
                            .as("row %d, step %d", row, step)
                            .containsExactly(
                                    Tensors.floats(logits.select(1, LENGTHS[row] + step)),
                                    org.assertj.core.data.Offset.offset(2e-5f));
                }
            }
        }
    }

    @Test
    void itsBitsDoNotDependOnTheOtherRows() {
        List<float[][]> together = written(List.of(0, 1, 3));
        for (int row : List.of(0, 1, 3)) {
            List<float[][]> alone = written(List.of(row));
            for (int step = 0; step < NEW; step++) {
                assertThat(alone.get(step)[row])
                        .as("row %d, step %d", row, step)
                        .isEqualTo(together.get(step)[row]);
            }
        }
    }

    @Test
    void aRowHasOneText() {
        KvTile tile = new KvTile(2);
        KvCache first = tile.row(1, 10);

        assertThatThrownBy(() -> tile.row(1, 10))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("row 1 has a text");

        first.close();
        tile.row(1, 10).close();
    }
}
