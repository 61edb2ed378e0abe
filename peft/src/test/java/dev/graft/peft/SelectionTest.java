package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.Ia3;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
                Pass.inference(Selection.all(Selection.of(a, 0.25), Selection.of(b, 0.75))
                        .hooks()));

        assertThat(Bases.difference(
                        base.logits(Bases.batch(), Pass.inference(average.hooks())),
                        strengths,
                        Bases.batch().mask()))
                .isLessThan(2e-5);
        Base merged = Merge.merge(base, average);
        assertThat(Bases.difference(
                        merged.logits(Bases.batch(), Pass.inference(Hooks.NONE)),
                        strengths,
                        Bases.batch().mask()))
                .isLessThan(5e-5);
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
