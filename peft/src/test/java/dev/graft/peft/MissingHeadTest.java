package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Heads of which the checkpoint has nothing: all that is drawn for them is trained and saved, or another seed would give other answers. */
class MissingHeadTest {
    private static final Lora LORA = new Lora(LoraConfig.DEFAULT);
    private static final Inputs TEXTS = Inputs.of(new long[][] {{5, 9, 12, 2}, {30, 8, 6, 2}});

    private static Base base(String name, long seed) {
        return Base.load(
                Bases.FIXTURES.resolve("bases/" + name),
                Base.Options.of(Task.SEQ_CLS).withSeed(seed));
    }

    private static Tensor logits(Base base, Adapter adapter) {
        return base.logits(TEXTS, ForwardPass.inference(Selection.of(adapter).hooks()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"deberta-mlm", "deberta-v3-mlm", "distilbert-mlm", "electra-mlm", "bert-mlm"})
    void answersDoNotDependOnTheSeedOfAHeadThatWasTrained(String name, @TempDir Path folder) {
        Base base = base(name, 1);
        Adapter adapter = Bases.trained(base, LORA);
        assertThat(adapter.trainable().keySet()).containsAll(base.newParameters());
        Tensor expected = logits(base, adapter);
        adapter.save(folder);

        Base other = base(name, 2);
        assertThat(Tensors.floats(logits(other, Adapter.load(other, folder)))).isEqualTo(Tensors.floats(expected));
    }

    @Test
    void aPoolerOfTheCheckpointStaysAsPeftLeavesIt() {
        Base base = Base.load(Bases.FIXTURES.resolve("bases/deberta-v2-seqcls"));
        Base lacking = base("deberta-v3-mlm", 1);

        assertThat(Adapter.create(base, LORA, 1).config().modulesToSave()).containsExactly("classifier", "score");
        assertThat(Adapter.create(lacking, LORA, 1).config().modulesToSave())
                .containsExactly("classifier", "score", "pooler.dense");
        assertThat(AdapterConfig.isOfHead(base, "pooler.dense.weight")).isFalse();
        assertThat(AdapterConfig.isOfHead(lacking, "pooler.dense.weight")).isTrue();
    }
}
