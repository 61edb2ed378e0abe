package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrefixTuningTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        PrefixTuning projected = new PrefixTuning(3, 12, false);
        return List.of(
                new Case(Bases.LLAMA, projected, 3 * 16 + 12 * 17 + 2 * 2 * 16 * 13, false),
                new Case(Bases.BERT, projected, 3 * 32 + 12 * 33 + 2 * 2 * 32 * 13, false),
                new Case(Bases.GPT2, projected, 3 * 32 + 12 * 33 + 2 * 2 * 32 * 13, false),
                new Case(Bases.TIED, new PrefixTuning(2, null, true), 2 * 32 + 32 * 33 + 2 * 2 * 32 * 33, false));
    }

    @Test
    void isPlainAfterLoading(@TempDir Path folder) {
        Adapter trained = Adapter.create(Bases.load(Bases.LLAMA), new PrefixTuning(3, 12, false), 1);
        trained.save(folder.resolve("adapter"));
        Adapter loaded = Adapter.load(Bases.load(Bases.LLAMA), folder.resolve("adapter"));

        assertThat(trained.parameters().keySet()).allMatch(key -> key.startsWith("prompt_encoder."));
        assertThat(loaded.parameters().keySet()).containsExactly("prompt_embeddings");
        assertThat(loaded.trainableCount()).isEqualTo(3 * 2 * 2 * 16);
    }

    @Test
    void refusesMoreTokensThanTheBaseHasPositions() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), new PrefixTuning(64, null, false), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("num_virtual_tokens is 64")
                .hasMessageContaining("64 positions");
    }
}
