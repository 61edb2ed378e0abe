package dev.graft.eval.compare;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LearningRateSearchTest {
    private static final ComparisonEntry LORA = new ComparisonEntry.Trained(
            "lora",
            base -> {
                throw new IllegalStateException();
            },
            1e-3);
    private static final ComparisonEntry FROZEN = new ComparisonEntry.Frozen("frozen");
    private final LearningRateSearch search = new LearningRateSearch(List.of(0.3, 1.0, 3.0), List.of(42L, 43L, 44L));

    @Test
    void looksAroundTheUsualRateWithTheFirstSeed() {
        assertThat(search.searchTrials(LORA))
                .containsExactly(new Trial("lora", 3e-4, 42), new Trial("lora", 1e-3, 42), new Trial("lora", 3e-3, 42));
        assertThat(search.trials(LORA)).isEqualTo(5);
    }

    @Test
    void theChosenRateHasEverySeedAndTheSearchWasTheFirst() {
        assertThat(search.finalTrials(LORA, 3e-4)).extracting(Trial::seed).containsExactly(42L, 43L, 44L);
    }

    @Test
    void aBaseThatIsNotTrainedHasOneTrial() {
        assertThat(search.searchTrials(FROZEN)).containsExactly(new Trial("frozen", 0, 42));
        assertThat(search.finalTrials(FROZEN, 0)).hasSize(1);
        assertThat(search.trials(FROZEN)).isEqualTo(1);
    }
}
