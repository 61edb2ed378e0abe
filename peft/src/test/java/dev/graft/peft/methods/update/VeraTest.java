package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VeraTest extends MethodContract {
    private static final Vera SIX = Vera.DEFAULT.withR(6).withTargets(TargetModules.DEFAULT);

    private static Vera drawnFrom(int key) {
        return new Vera(6, 0.1, 0, new SharedProjection(key, false), Bias.NONE, TargetModules.DEFAULT, true);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.BERT,
                        SIX.withTargets(TargetModules.ALL_LINEAR),
                        13 * 6 + 2 * (4 * 32 + 64 + 32) + 32,
                        true),
                new Case(Bases.LLAMA, drawnFrom(3), 4 * 6 + 2 * (32 + 16), true),
                new Case(
                        Bases.LLAMA,
                        new Vera(6, 0.1, 0, SharedProjection.SAVED, Bias.NONE, TargetModules.DEFAULT, false),
                        4 * 6 + 2 * (32 + 16),
                        false));
    }

    @Test
    void drawsTheSameProjectionsFromAKeyWhateverTheSeed() {
        Adapter one = Adapter.create(Bases.load(Bases.LLAMA), drawnFrom(3), 1);
        Adapter two = Adapter.create(Bases.load(Bases.LLAMA), drawnFrom(3), 2);
        Adapter other = Adapter.create(Bases.load(Bases.LLAMA), drawnFrom(4), 1);

        assertThat(projection(one)).isEqualTo(projection(two)).isNotEqualTo(projection(other));
    }

    private static List<java.nio.ByteBuffer> projection(Adapter adapter) {
        return List.of(
                Tensors.bytes(adapter.parameters().get("vera_A").value()),
                Tensors.bytes(adapter.parameters().get("vera_B").value()));
    }

    @Test
    void savesOnlyTheKeyWhereItIsToldTo(@TempDir Path folder) throws Exception {
        Adapter saved = Adapter.create(Bases.load(Bases.LLAMA), SIX, 1);
        Adapter drawn = Adapter.create(Bases.load(Bases.LLAMA), drawnFrom(0), 1);
        saved.save(folder.resolve("saved"));
        drawn.save(folder.resolve("drawn"));

        assertThat(projection(saved)).isEqualTo(projection(drawn));
        assertThat(Files.size(folder.resolve("saved/adapter_model.safetensors"))
                        - Files.size(folder.resolve("drawn/adapter_model.safetensors")))
                .isGreaterThan(4 * (6 * 32 + 32 * 6));
    }

    @Test
    void sharesItsProjectionsWithTheThreadsThatTrain() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), drawnFrom(3), 1);
        Adapter twin = adapter.replica();

        assertThat(twin.parameters().get("vera_B").value().data_ptr().address())
                .isEqualTo(adapter.parameters().get("vera_B").value().data_ptr().address());
    }

    @Test
    void dropsInputsInTraining() {
        Vera dropping = new Vera(6, 0.1, 0.5, SharedProjection.SAVED, Bias.NONE, TargetModules.DEFAULT, true);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-4);
    }

    @Test
    void trainsTheBiasesOfItsTargets() {
        Vera biased = new Vera(6, 0.1, 0, SharedProjection.SAVED, Bias.TARGETS, TargetModules.names("q_proj"), true);
        Adapter adapter = Adapter.create(Bases.load(Bases.BIASED), biased, 1);

        assertThat(adapter.trainable())
                .containsKey("model.layers.0.self_attn.q_proj.base_layer.bias")
                .doesNotContainKey("model.layers.0.self_attn.k_proj.bias");
    }

    @Test
    void refusesARankOfZero() {
        assertThatThrownBy(() -> SIX.withR(0))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 0, expected at least 1");
    }
}
