package dev.graft.peft.methods.orthogonal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PsoftTest extends MethodContract {
    private static final Psoft SIX = Psoft.DEFAULT.withR(6).withTargets(TargetModules.DEFAULT);
    private static final String Q = "model.layers.0.self_attn.q_proj";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, SIX, 4 * (15 + 12), true),
                new Case(Bases.LLAMA, SIX, 4 * (15 + 12), true),
                // Any matrix and no scales, of a randomised decomposition
                new Case(
                        Bases.LLAMA,
                        new Psoft(6, 3, 0, true, 4, 1, false, false, false, null, null, TargetModules.DEFAULT, true),
                        4 * 36,
                        true),
                new Case(
                        Bases.TIED,
                        new Psoft(6, 6, 0, false, null, 0, true, true, false, 4, 0.5, TargetModules.DEFAULT, false),
                        4 * (15 + 6),
                        false));
    }

    /** The rotation is relative to the singular vectors of the base. */
    @Override
    protected boolean meansTheSameOnARoundedBase() {
        return false;
    }

    /** Without scales the rotation keeps the angles between the columns of W's main part, and so the lengths. */
    @Test
    void rotatesWithinTheFirstDirections() {
        Psoft plain =
                new Psoft(6, 6, 0, false, null, 0, true, false, false, null, null, TargetModules.names("q_proj"), true);
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, plain, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(1, key).normal(0, 1, Tensors.shape(value))));
        }
        Tensor before = base.site(Linear.class, Q).weight();
        Tensor after = Merge.merge(adapter).site(Linear.class, Q).weight();

        assertThat(Tensors.item(after.norm())).isCloseTo(Tensors.item(before.norm()), within(1e-4));
        assertThat(Bases.difference(after, before, before)).isGreaterThan(1e-2);
    }

    /** Another decomposition may turn singular vectors round: the signs beside the file turn them back. */
    @Test
    void readsTheSignsOfTheSingularVectors(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Path saved = folder.resolve("adapter");
        Adapter adapter = Adapter.create(base, SIX, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(1, key).normal(0, 1, Tensors.shape(value))));
        }
        adapter.save(saved);
        Tensor before = Merge.merge(adapter).site(Linear.class, Q).weight();
        Path file = saved.resolve("graft.safetensors");
        List<TensorData> turned = new ArrayList<>();
        try (Safetensors old = Safetensors.open(file)) {
            for (String name : old.names()) {
                ByteBuffer bytes = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
                ByteBuffer signs = old.tensor(name).bytes().duplicate().order(ByteOrder.LITTLE_ENDIAN);
                for (int i = 0; i < 6; i++) {
                    bytes.putInt(i == 2 ? -signs.getInt() : signs.getInt());
                }
                turned.add(new TensorData(old.info(name), bytes.flip()));
            }
        }
        Files.delete(file);
        Safetensors.write(file, turned, Map.of());

        Tensor after =
                Merge.merge(Adapter.load(base, saved)).site(Linear.class, Q).weight();
        assertThat(Bases.difference(after, before, before)).isGreaterThan(1e-3);
    }

    @Test
    void refusesAFileWithoutTheSigns(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Path saved = folder.resolve("adapter");
        Adapter.create(base, SIX, 1).save(saved);
        Files.delete(saved.resolve("graft.safetensors"));

        assertThatThrownBy(() -> Adapter.load(base, saved))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("adapter_config.json")
                .hasMessageContaining("needs the signs of the singular vectors");
    }

    @Test
    void dropsInputsInTraining() {
        Base base = Bases.load(Bases.LLAMA);
        Psoft dropping =
                new Psoft(6, 6, 0.5, false, null, 0, true, true, true, null, null, TargetModules.DEFAULT, true);

        assertThat(effectOfDropout(base, SIX)).isLessThan(1e-5);
        assertThat(effectOfDropout(base, dropping)).isGreaterThan(1e-3);
    }

    @Test
    void refusesARankAboveTheSizes() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), SIX.withR(17), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 17, expected at most the smaller size of model.layers.0.self_attn.v_proj, 16");
    }
}
