package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.Ia3;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SelectionTest {
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
