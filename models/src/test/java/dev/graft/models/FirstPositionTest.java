package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a head reads the first position alone, the last layer leaves the others out. */
class FirstPositionTest {
    private static Inputs inputs(String base) {
        return base.startsWith("vit") || base.startsWith("deit")
                ? Inputs.images(Rng.of(1, "images").normal(0, 1, 3, 3, 16, 16))
                : Fixtures.of(base).inputs();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bert-seqcls",
                "bert-choice",
                "roberta-seqcls",
                "electra-seqcls",
                "distilbert-seqcls",
                "mpnet-seqcls",
                "layoutlm-seqcls",
                "vit",
                "deit"
            })
    void theAnswerIsThatOfAllPositions(String name) {
        Base base = Base.load(Fixtures.folder(name));
        Inputs in = inputs(name);
        Pass some = Pass.inference(Hooks.NONE);
        Tensor logits = base.logits(in, some);
        Pass every = Pass.inference(Hooks.NONE);
        Hidden all = base.hidden(in, every);

        assertThat(base.head().readsFirst()).isTrue();
        assertThat(last(base, in, Pass.inference(Hooks.NONE))).isOne();
        assertThat(all.last().size(1)).isGreaterThan(1);
        assertThat(Fixtures.difference(logits, base.logits(all, every))).isLessThan(1e-5);
    }

    @Test
    void allPositionsAreThereForWhoReadsThem() {
        Base bert = Base.load(Fixtures.folder("bert-seqcls"));
        Inputs in = inputs("bert-seqcls");
        Hooks beyond = new Hooks() {
            @Override
            public boolean isFrozen(Site site) {
                return !(site instanceof Layer);
            }
        };

        assertThat(last(bert, in, Pass.inference(Hooks.NONE).withHiddenStates()))
                .isEqualTo(in.width());
        assertThat(last(bert, in, Pass.inference(beyond))).isEqualTo(in.width());
        Base tokens = Base.load(Fixtures.folder("bert-tokcls"));
        assertThat(Tensors.shape(tokens.logits(in, Pass.inference(Hooks.NONE)))[1])
                .isEqualTo(in.width());
    }

    private static long last(Base base, Inputs in, Pass pass) {
        return base.read(in, pass).last().size(1);
    }
}
