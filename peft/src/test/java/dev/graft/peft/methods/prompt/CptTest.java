package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class CptTest extends MethodContract {
    /** Two examples: a template, an input, a template and an answer each; then a token of no type. */
    private static final Cpt TWO = Cpt.of(List.of(4, 62, 12, 27, 4, 9, 12, 30, 2), List.of(1, 2, 3, 4, 5, 6, 7, 8, 0));

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.LLAMA, Cpt.of(List.of(4, 62, 12), List.of(1, 2, 3)), 3 * 32, false),
                new Case(
                        Bases.TIED,
                        Cpt.of(List.of(7, 8), List.of(2, 2)).withDecays(true).withDecay(0.5),
                        2 * 32,
                        false));
    }

    @Test
    void startsAsItsContext() {
        Base base = Bases.load(Bases.LLAMA);
        Tensor prompted = base.logits(
                Inputs.of(new long[][] {{5, 6}}),
                ForwardPass.inference(Selection.of(Adapter.create(base, TWO, 1)).hooks()));
        Tensor whole = base.logits(
                Inputs.of(new long[][] {{4, 62, 12, 27, 4, 9, 12, 30, 2, 5, 6}}),
                ForwardPass.inference(dev.graft.models.sites.Hooks.NONE));

        assertThat(Tensors.item(prompted.sub(whole).abs().amax())).isLessThan(1e-5);
    }

    @Test
    void givesNoGradientToAnswersAndTokensOfNoType() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, TWO, 1);
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        base.logits(Inputs.of(new long[][] {{5, 6}}), pass).sum().backward();
        pass.backward();
        double[] norms = Tensors.doubles(
                Ops.norm(adapter.trainable().get("prompt_embeddings").grad(), 1, false));

        assertThat(norms[3]).isZero();
        assertThat(norms[7]).isZero();
        assertThat(norms[8]).isZero();
        assertThat(norms[0]).isPositive();
        assertThat(norms[6]).isPositive();
    }

    @Test
    void putsRowsBackToWithinTheirBoundsAfterEveryStep() {
        Base base = Bases.load(Bases.LLAMA);
        Cpt method = TWO.withProjection(0.4).withFormatProjection(0.8);
        Adapter adapter = Adapter.create(base, method, 1);
        Tensor p = adapter.trainable().get("prompt_embeddings");
        Tensor start = p.detach().clone();
        try (NoGrad noGrad = new NoGrad()) {
            p.add_(Rng.of(1, "moved").normal(0, 0.1, 9, 32));
            p.select(0, 5).copy_(start.select(0, 5)).add_(new org.bytedeco.pytorch.Scalar(1e-4));
        }
        method.trainingRule(adapter, new TrainingRule.Run(1, 1, 1e-3, 1)).afterUpdate(0, 1e-3);
        double[] distance = Tensors.doubles(Ops.norm(p.detach().sub(start), 1, false));

        assertThat(distance[0]).isCloseTo(0.8 / 8, within(1e-6));
        assertThat(distance[1]).isCloseTo(0.4 / 8, within(1e-6));
        assertThat(distance[2]).isCloseTo(0.8 / 8, within(1e-6));
        assertThat(distance[3]).isZero();
        assertThat(distance[5]).isCloseTo(1e-4 * Math.sqrt(32), within(1e-6));
        assertThat(distance[8]).isZero();
    }

    @Test
    void makesAContextOfExamples() {
        Base base = Bases.load(Bases.NUMBERS);
        Cpt method = Cpt.of(
                base.tokenizer(), "1", "2 3", List.of(new Cpt.Example("40 41", "7"), new Cpt.Example("42", "8 9")));

        assertThat(method.ids()).containsExactly(1, 40, 41, 2, 3, 7, 1, 42, 2, 3, 8, 9);
        assertThat(method.types()).containsExactly(1, 2, 2, 3, 3, 4, 5, 6, 7, 7, 8, 8);
    }

    @Test
    void refusesWhatIsNoContext() {
        assertThatThrownBy(() -> Cpt.of(List.of(), List.of())).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> Cpt.of(List.of(1, 2), List.of(1)))
                .hasMessageContaining("cpt_token_ids has 2 entries, cpt_tokens_type_mask 1");
        assertThatThrownBy(() -> TWO.withProjection(0)).hasMessageContaining("opt_projection_epsilon is 0.0");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), Cpt.of(List.of(64), List.of(1)), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("cpt_token_ids has 64");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.BERT), TWO, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("cpt is for causal models");
    }
}
