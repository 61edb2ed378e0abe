package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainableTokensTest extends MethodContract {
    /** Two tokens of the batch and one that isn't there. */
    private static final TrainableTokens THREE = TrainableTokens.of(3, 25, 2);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, THREE, 3 * 32, true),
                new Case(Bases.LLAMA, THREE, 3 * 32, true),
                // The tied head gets the same rows, asked for or not
                new Case(Bases.TIED, THREE, 3 * 32, true),
                new Case(Bases.TIED, THREE.withTargets(TargetModules.names("embed_tokens", "lm_head")), 3 * 32, true),
                new Case(Bases.LLAMA, THREE.withTargets(TargetModules.names("lm_head")), 3 * 32, true),
                new Case(
                        Bases.LLAMA, new TrainableTokens(List.of(3, 25), TargetModules.DEFAULT, false), 2 * 32, false));
    }

    @Test
    void refusesTokensThatAreNotThere() {
        Base base = Bases.load(Bases.LLAMA);

        assertThatThrownBy(() -> Adapter.create(base, TrainableTokens.of(), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("token_indices is empty: give the ids of the tokens to train");
        assertThatThrownBy(() -> Adapter.create(base, TrainableTokens.of(100000), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("token_indices: 100000 is outside");
        assertThatThrownBy(() -> Adapter.create(base, TrainableTokens.of(3, 3), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("twice");
    }

    /** As PEFT 0.21 saves them. */
    @ParameterizedTest
    @CsvSource({"t5, ''", "bart, model."})
    void anEmbeddingThatBothSidesShareIsSavedUnderAllItsNames(String name, String model, @TempDir Path folder) {
        Base base = Base.load(Bases.FIXTURES.resolve("bases/" + name), Base.Options.of(Task.SEQ_2_SEQ_LM));
        Adapter adapter = Adapter.create(base, THREE.withTargets(TargetModules.names("shared")), 1);
        adapter.save(folder.resolve("a"));

        try (TensorSource tensors = Safetensors.open(folder.resolve("a/adapter_model.safetensors"))) {
            assertThat(tensors.names())
                    .containsExactlyInAnyOrderElementsOf(Stream.of(
                                    model + "shared",
                                    model + "encoder.embed_tokens",
                                    model + "decoder.embed_tokens",
                                    "lm_head")
                            .map(module -> "base_model.model." + module + ".trainable_tokens_delta")
                            .toList());
        }
        assertThat(Adapter.load(base, folder.resolve("a")).trainableCount()).isEqualTo(adapter.trainableCount());
    }

    @Test
    void hasOneSetOfRowsForBothEndsOfATiedModel() {
        Adapter adapter = Adapter.create(Bases.load(Bases.TIED), THREE, 1);

        assertThat(adapter.sites()).hasSize(2);
        assertThat(adapter.trainable()).hasSize(1);
    }
}
