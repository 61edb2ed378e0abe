package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Site;
import dev.graft.peft.methods.bottleneck.Parallel;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class SelectionTest {
    /** Of linear updates the average is what their strengths give. */
    @Test
    void anAverageOfLorasIsEachAtItsWeight() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter a = Adapter.load(base, Bases.FIXTURES.resolve("adapters/llama-gqa/lora"));
        Adapter b = Adapter.load(base, Bases.FIXTURES.resolve("adapters/llama-gqa/lora-all-linear"));
        Selection average = Selection.average(List.of(Selection.of(a), Selection.of(b)), List.of(0.25, 0.75));
        Tensor strengths = base.logits(
                Bases.batch(),
                ForwardPass.inference(Selection.all(Selection.of(a, 0.25), Selection.of(b, 0.75))
                        .hooks()));

        assertThat(Bases.difference(
                        base.logits(Bases.batch(), ForwardPass.inference(average.hooks())),
                        strengths,
                        Bases.batch().mask()))
                .isLessThan(2e-5);
        Base merged = Merge.merge(base, average);
        assertThat(Bases.difference(
                        merged.logits(Bases.batch(), ForwardPass.inference(Hooks.NONE)),
                        strengths,
                        Bases.batch().mask()))
                .isLessThan(5e-5);
    }

    /** In a causal model nothing behind a position changes it. */
    @Test
    void theFirstPartOfASplitIsWhatItsAdapterGivesAlone() {
        Base base = Bases.load(Bases.LLAMA);
        Selection a = Selection.of(moved(Adapter.create(base, Pfeiffer.DEFAULT, 1)));
        Selection b = Selection.of(moved(Adapter.create(base, Parallel.DEFAULT, 2)));
        Tensor ids = Bases.batch().ids();
        Inputs text = Inputs.of(ids, torch.ones_like(ids));

        Tensor split = base.logits(
                text,
                ForwardPass.inference(
                        Selection.split(List.of(a, b), List.of(3, 4)).hooks()));
        Tensor alone = base.logits(text, ForwardPass.inference(a.hooks()));
        Tensor other = base.logits(text, ForwardPass.inference(b.hooks()));

        assertThat(difference(split.narrow(1, 0, 3), alone.narrow(1, 0, 3))).isLessThan(1e-5);
        assertThat(difference(split.narrow(1, 3, 4), alone.narrow(1, 3, 4))).isGreaterThan(0.01);
        assertThat(difference(split.narrow(1, 3, 4), other.narrow(1, 3, 4))).isGreaterThan(0.01);
        assertThat(difference(
                        base.logits(
                                text,
                                ForwardPass.inference(Selection.split(List.of(a, a), List.of(3, 4))
                                        .hooks())),
                        alone))
                .isLessThan(1e-5);
    }

    @Test
    void aSplitRefusesTextsOfAnotherLengthAndWhatIsNoBottleneck() {
        Base base = Bases.load(Bases.LLAMA);
        Selection bottleneck = Selection.of(Adapter.create(base, Pfeiffer.DEFAULT, 1));
        ForwardPass shorter = ForwardPass.inference(
                Selection.split(List.of(bottleneck, bottleneck), List.of(2, 2)).hooks());
        ForwardPass other =
                ForwardPass.inference(Selection.split(List.of(bottleneck, Selection.of(adapter())), List.of(2, 2))
                        .hooks());

        assertThatThrownBy(() -> base.logits(Bases.batch(), shorter))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a split into [2, 2] positions acts on texts of 4");
        assertThatThrownBy(() -> base.logits(Bases.batch(), other))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("only what acts on blocks' outputs can be split");
        assertThatThrownBy(() -> Selection.split(List.of(bottleneck), List.of(0)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("expected positive numbers");
    }

    private static Adapter moved(Adapter adapter) {
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(1, key).normal(0, 0.2, Tensors.shape(value))));
        }
        return adapter;
    }

    private static double difference(Tensor one, Tensor another) {
        return Tensors.item(one.sub(another).abs().amax());
    }

    @Test
    void promptsAreNotAveraged() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter prefix = Adapter.load(base, Bases.FIXTURES.resolve("adapters/llama-gqa/prefix-tuning"));

        assertThatThrownBy(() -> Selection.average(List.of(Selection.of(prefix)), List.of(1.0)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("can't be averaged");
        assertThatThrownBy(() -> Selection.average(List.of(Selection.BASE), List.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("1 selections and 0 weights");
    }

    private static Adapter adapter() {
        return Adapter.create(Bases.load(Bases.LLAMA), Ia3.DEFAULT, 1);
    }

    /** A prompt that is said to be inside the text, where it can only come before it. */
    private record Inside() implements Method {
        @Override
        public Type type() {
            return PromptTuning.DEFAULT.type();
        }

        @Override
        public void graft(Grafter g) {
            for (Site site : g.base().sites()) {
                if (site instanceof Embedding table && table.input()) {
                    Tensor rows = g.parameter("rows", Initializer.ONES, 2, table.hidden());
                    g.add(table, new Effect.Prompt(2, pass -> rows, PromptTargets.none(2), true));
                }
            }
        }

        @Override
        public void write(ObjectNode json, Base base) {
            throw new UnsupportedOperationException();
        }
    }

    @Test
    void aPromptInsideTheTextIsNotTakenForOneBeforeIt() {
        Base base = Bases.load(Bases.BERT);

        assertThatThrownBy(() -> {
                    Adapter adapter = Adapter.create(base, new Inside(), 1);
                    base.logits(
                            Bases.batch(),
                            ForwardPass.inference(Selection.of(adapter).hooks()));
                })
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("expected the stream");
    }

    @Test
    void noAdapterCallsTheFrozenModelItself() {
        assertThat(Selection.BASE.hooks()).isSameAs(Hooks.NONE);
        assertThat(Selection.rows(Selection.BASE, Selection.BASE).hooks()).isSameAs(Hooks.NONE);
        assertThat(Selection.all(Selection.BASE, Selection.BASE).hooks()).isSameAs(Hooks.NONE);
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
    void refusesAStrengthThatIsNoNumber(double strength) {
        Adapter adapter = adapter();

        assertThatThrownBy(() -> Selection.of(adapter, strength))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("strength");
    }

    @Test
    void rowsAreNeitherStackedNorNestedNorMerged() {
        Adapter adapter = adapter();
        Selection rows = Selection.rows(Selection.of(adapter), Selection.BASE);

        assertThatThrownBy(() -> Selection.all(rows)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Selection.rows(rows)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Merge.merge(adapter.base(), rows))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("by rows");
    }
}
