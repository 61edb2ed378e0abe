package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** LoRA on a base answers rows of twins that the same network can't learn from random weights. */
@Tag("slow")
class TwinsNeedPretrainingTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "conll2003, 80, 2e-3, 0.5",
        "squad/v1.1, 240, 2e-3, 40",
        "superglue/rte, 80, 2e-3, 0.25",
        "superglue/boolq, 120, 1e-3, 0.25",
        "webnlg, 40, 1e-3, 0.3",
        "gsm8k, 40, 1e-3, 0.3",
        "wmt/fr-en, 40, 1e-3, 0.3",
        "cifar/cifar10, 60, 1e-3, 0.5",
        "lama/trex, 80, 2e-3, 0.2",
        "bbh/dyck_languages, 40, 1e-3, 0.4"
    })
    void whatWasLearntBeforeIsFarAboveTrainingAllFromRandomWeights(String task, int steps, double rate, double margin)
            throws IOException {
        TwinProof.Scores scores = scores(task, steps, rate);
        assertThat(scores.lora()).as("%s", scores).isGreaterThan(scores.random() + margin);
    }

    /**
     * The proof of the task that {@code graft.twin} names, in {@code graft.steps} steps at the rate {@code graft.rate}, with a score that is
     * {@code graft.margin} above the other.
     */
    @Test
    @EnabledIfSystemProperty(named = "graft.twin", matches = ".+")
    void soIsTheTaskThatIsAskedFor() throws IOException {
        String task = System.getProperty("graft.twin");
        int steps = Integer.getInteger("graft.steps", 80);
        double rate = Double.parseDouble(System.getProperty("graft.rate", "1e-3"));
        double margin = Double.parseDouble(System.getProperty("graft.margin", "0.1"));
        whatWasLearntBeforeIsFarAboveTrainingAllFromRandomWeights(task, steps, rate, margin);
    }

    private TwinProof.Scores scores(String task, int steps, double rate) throws IOException {
        try (TwinProof proof = TwinProof.of(task, folder)) {
            TwinProof.Scores scores = proof.scores(steps, rate);
            System.out.printf(
                    Locale.ROOT,
                    "%s, %d steps at %s: LoRA %.3f, from random weights %.3f%n",
                    task,
                    steps,
                    rate,
                    scores.lora(),
                    scores.random());
            return scores;
        }
    }
}
