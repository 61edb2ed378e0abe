package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.TrainingRule.Rate;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoraPlusTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);
    private static final LoraConfig EMBEDDING = FOUR.withTargets(TargetModules.names("embed_tokens", "q_proj"));

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new LoraPlus(FOUR, 16, 1e-6), 4 * (2 * (4 * 64 + 2 * 96) + 64), true),
                new Case(Bases.LLAMA, new LoraPlus(FOUR, 4, 1e-6), 4 * 2 * (2 * 64 + 2 * 48 + 3 * 96), true),
                new Case(Bases.TIED, new LoraPlus(EMBEDDING, 16, 1e-5), 4 * (64 + 32) + 4 * 2 * 64, true));
    }

    @Test
    void bAndVectorsLearnFasterAndEmbeddingsAtARateOfTheirOwn() {
        TrainingRule.Run run = new TrainingRule.Run(10, 5, 1e-3, 1);
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), new LoraPlus(FOUR, 16, 1e-6), 1);
        TrainingRule rule = adapter.method().trainingRule(adapter, run);
        String query = "bert.encoder.layer.0.attention.self.query";

        assertThat(rule.rate(query + ".lora_A.weight")).isEqualTo(new Rate(1, 0));
        assertThat(rule.rate(query + ".lora_B.weight")).isEqualTo(new Rate(16, 0));
        assertThat(rule.rate("classifier.weight")).isEqualTo(new Rate(1, 0));
        assertThat(rule.rate("classifier.bias")).isEqualTo(new Rate(16, 0));

        Adapter table = Adapter.create(Bases.load(Bases.TIED), new LoraPlus(EMBEDDING, 16, 1e-5), 1);
        for (String part : List.of("A", "B")) {
            assertThat(table.method().trainingRule(table, run).rate("model.embed_tokens.lora_embedding_" + part))
                    .isEqualTo(new Rate(1e-2, 0));
        }
    }

    @Test
    void savesAPlainLora(@TempDir Path folder) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new LoraPlus(FOUR, 16, 1e-6), 1);
        adapter.save(folder.resolve("saved"));

        assertThat(Adapter.load(adapter.base(), folder.resolve("saved")).method())
                .isInstanceOf(Lora.class);
    }

    @Test
    void refusesARatioBelowOneAndARateOutOfRange() {
        assertThatThrownBy(() -> new LoraPlus(FOUR, 0.5, 1e-6))
                .isInstanceOf(InputException.class)
                .hasMessage("loraplus_lr_ratio is 0.5, expected 1 or more");
        assertThatThrownBy(() -> new LoraPlus(FOUR, 16, 0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("loraplus_lr_embedding is 0.0");
    }
}
