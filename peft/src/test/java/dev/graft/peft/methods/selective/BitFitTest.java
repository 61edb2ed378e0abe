package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class BitFitTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        // In each of two layers four biases of 32 and one of 64 and one of 32, two norms; the embeddings' norm and the
        // pooler.
        return List.of(
                new Case(Bases.BERT, BitFit.DEFAULT, 2 * (4 * 32 + 64 + 32 + 2 * 32) + 32 + 32, true),
                new Case(Bases.BERT, new BitFit(List.of("query", "up")), 2 * (32 + 64), true),
                new Case(Bases.BIASED, BitFit.DEFAULT, 2 * (32 + 16 + 16 + 32), true),
                new Case(Bases.BERT, new BitFit(List.of("norm")), 5 * 32, true),
                new Case(Bases.BERT, new BitFit(List.of("layer.1.output.dense", "pooler")), 64, true));
    }

    @Test
    void refusesABaseWithoutBiasesAndSaysWhatFits() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), BitFit.DEFAULT, 1))
                .isInstanceOf(InputException.class)
                .hasMessage(
                        "llama-gqa has no biases, so there is nothing for BitFit to train; beft, ia3 and lora fit this"
                                + " base");
    }

    @Test
    void refusesATermThatNamesNoBias() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.BERT), new BitFit(List.of("query", "gate")), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"gate\"")
                .hasMessageContaining("norm, output, pooler, query");
    }

    @Test
    void storesBiasesUnderTheirOwnNames() {
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), new BitFit(List.of("pooler")), 1);

        assertThat(adapter.parameters().keySet())
                .containsExactly("bert.pooler.dense.bias", "classifier.weight", "classifier.bias");
    }
}
