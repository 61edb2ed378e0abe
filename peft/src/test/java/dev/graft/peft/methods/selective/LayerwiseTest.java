package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class LayerwiseTest extends MethodContract {
    private static final long BERT_LAYER = 4 * (32 * 32 + 32) + 2 * 64 * 32 + 64 + 32 + 2 * 2 * 32;
    private static final long LLAMA_LAYER = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 64 * 32 + 2 * 32;

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new Layerwise(1), BERT_LAYER + 32 * 32 + 32, true),
                new Case(Bases.LLAMA, new Layerwise(1), LLAMA_LAYER + 32 + 64 * 32, true));
    }

    @Test
    void everythingBelowStaysFrozen() {
        assertThat(Adapter.create(Bases.load(Bases.LLAMA), new Layerwise(1), 1)
                        .trainable()
                        .keySet())
                .allMatch(name -> name.startsWith("model.layers.1.")
                        || name.equals("model.norm.weight")
                        || name.equals("lm_head.weight"));
        assertThat(Adapter.create(Bases.load(Bases.BERT), new Layerwise(0), 1)
                        .trainable()
                        .keySet())
                .containsExactlyInAnyOrder(
                        "bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias");
    }

    @Test
    void aHeadThatIsTheEmbeddingBelongsToTheBottom() {
        assertThat(Adapter.create(Bases.load(Bases.TIED), new Layerwise(0), 1)
                        .trainable()
                        .keySet())
                .containsExactly("model.norm.weight");
    }

    @Test
    void refusesMoreLayersThanThereAre() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), new Layerwise(3), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("top_layers is 3, but llama-gqa has 2 layers");
    }
}
