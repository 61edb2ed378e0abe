package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
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
        ForwardPass some = ForwardPass.inference(Hooks.NONE);
        Tensor logits = base.logits(in, some);
        ForwardPass every = ForwardPass.inference(Hooks.NONE);
        HiddenStates all = base.forward(in, every);

        assertThat(base.head().readsFirstOnly()).isTrue();
        assertThat(last(base, in, ForwardPass.inference(Hooks.NONE))).isOne();
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

        assertThat(last(bert, in, ForwardPass.inference(Hooks.NONE).withHiddenStates()))
                .isEqualTo(in.width());
        assertThat(last(bert, in, ForwardPass.inference(beyond))).isEqualTo(in.width());
        Base tokens = Base.load(Fixtures.folder("bert-tokcls"));
        assertThat(Tensors.shape(tokens.logits(in, ForwardPass.inference(Hooks.NONE)))[1])
                .isEqualTo(in.width());
    }

    private static long last(Base base, Inputs in, ForwardPass pass) {
        return base.hiddenForHead(in, pass).last().size(1);
    }
}
