package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class C3aTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        PatternValue<Integer> pattern = new PatternValue<>(8, Map.of("q_proj", 4));
        return List.of(
                // Blocks of 32
                new Case(Bases.BERT, C3a.DEFAULT, 2 * (4 * 32 + 2 * 64) + 32, true),
                // Blocks of 16
                new Case(Bases.LLAMA, C3a.DEFAULT, 2 * (2 * 64 + 2 * 32 + 3 * 128), true),
                new Case(
                        Bases.TIED,
                        new C3a(pattern, TargetModules.DEFAULT, Bias.NONE, C3a.Init.GAUSSIAN),
                        2 * (256 + 128),
                        false));
    }

    @Test
    void writesTheBlockSizeThatItChose(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter.create(base, C3a.DEFAULT, 1).save(folder.resolve("adapter"));

        assertThat(Json.read(folder.resolve("adapter/adapter_config.json"))
                        .path("block_size")
                        .intValue())
                .isEqualTo(16);
    }

    @Test
    void refusesABlockSizeThatDoesNotDivide() {
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA),
                        C3a.DEFAULT.withBlock(32).withTargets(TargetModules.names("v_proj")),
                        1))
                .isInstanceOf(InputException.class)
                .hasMessage(
                        "block_size 32 doesn't divide both sizes of model.layers.0.self_attn.v_proj, 32 in and 16 out");
    }
}
