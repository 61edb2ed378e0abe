package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class PromptTuningTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new PromptTuning(3, PromptTuning.Init.RANDOM, null, null), 3 * 32, false),
                new Case(Bases.LLAMA, new PromptTuning(3, PromptTuning.Init.SAMPLE_VOCAB, null, null), 3 * 32, false),
                new Case(Bases.TIED, new PromptTuning(2, PromptTuning.Init.RANDOM, null, null), 2 * 32, false),
                new Case(Bases.BERT, PromptTuning.text(9, "good or bad"), 9 * 32, false));
    }

    @Test
    void startsAsTheTextRepeatedToItsLength() {
        Base base = Bases.load(Bases.BERT);
        int[] ids =
                base.tokenizer().encode("good or bad", EncodeOptions.DEFAULT).ids();
        Adapter adapter = Adapter.create(base, PromptTuning.text(ids.length + 2, "good or bad"), 1);
        Tensor rows = adapter.trainable().get("prompt_embeddings");
        Tensor table = base.parameters().get("bert.embeddings.word_embeddings.weight");

        for (int i = 0; i < ids.length + 2; i++) {
            assertThat(Tensors.floats(rows.select(0, i)))
                    .as("row %d", i)
                    .containsExactly(Tensors.floats(table.select(0, ids[i % ids.length])));
        }
    }

    @Test
    void startsAsWordsOfTheVocabulary() {
        Base base = Bases.load(Bases.LLAMA);
        Tensor rows = Adapter.create(base, PromptTuning.DEFAULT, 1).trainable().get("prompt_embeddings");
        Tensor table = base.parameters().get("model.embed_tokens.weight");
        for (int i = 0; i < 20; i++) {
            Tensor nearest = table.sub(rows.detach().select(0, i)).abs().amax(new long[] {1}, false);
            assertThat(Tensors.item(nearest.amin())).isZero();
        }
    }

    @Test
    void startsAsTheMeansOfItsLabelsAndWordsOfTheVocabulary() {
        Base base = Bases.load(Bases.BERT);
        Tensor table = base.parameters().get("bert.embeddings.word_embeddings.weight");
        Adapter adapter =
                Adapter.create(base, new PromptTuning(5, PromptTuning.Init.CLASS_LABELS, "good,  quite bad", null), 1);
        Tensor rows = adapter.trainable().get("prompt_embeddings").detach();
        for (int i = 0; i < 2; i++) {
            int[] ids = base.tokenizer()
                    .encode(i == 0 ? "good" : "quite bad", EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                    .ids();
            Tensor expected = Tensors.zeros(table.scalar_type(), 32);
            for (int id : ids) {
                expected.add_(table.select(0, id), new org.bytedeco.pytorch.Scalar(1.0 / ids.length));
            }
            assertThat(Tensors.item(rows.select(0, i).sub(expected).abs().amax()))
                    .isLessThan(1e-6);
        }
        for (int i = 2; i < 5; i++) {
            Tensor nearest = table.sub(rows.select(0, i)).abs().amax(new long[] {1}, false);
            assertThat(Tensors.item(nearest.amin())).isZero();
        }
    }

    @Test
    void refusesMoreLabelsThanTokens() {
        PromptTuning two = new PromptTuning(2, PromptTuning.Init.CLASS_LABELS, null, null);

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.BERT), two, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("there are 3 labels, but num_virtual_tokens is only 2");
    }

    @Test
    void refusesATextThatIsMissing() {
        assertThatThrownBy(() -> new PromptTuning(5, PromptTuning.Init.TEXT, null, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prompt_tuning_init_text");
    }

    @Test
    void refusesNoTokensAtAll() {
        assertThatThrownBy(() -> new PromptTuning(0, PromptTuning.Init.RANDOM, null, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("num_virtual_tokens is 0");
    }
}
