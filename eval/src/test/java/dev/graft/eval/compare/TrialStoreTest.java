package dev.graft.eval.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

class TrialStoreTest {
    static final Trial TRIAL = new Trial("lora", 2e-3, 42);

    @TempDir
    private Path folder;

    static TrialOutcome outcome(Trial trial, String key, double accuracy) {
        return new TrialOutcome(
                trial,
                key,
                JsonNodeFactory.instance.objectNode().put("base", "tiny"),
                JsonNodeFactory.instance.objectNode().put("r", 16),
                120,
                1200,
                Map.of("accuracy", accuracy),
                new TestScores(
                        Map.of("accuracy", accuracy / 2, "matthews", Double.NaN),
                        List.of(1.0, 0.0, 1.0),
                        List.of(1.0, 1.0, 1.0)),
                Map.of("b", new TestScores(Map.of("accuracy", 0.25), List.of(0.5, 1.0), List.of(2.0, 3.0))),
                List.of(2.5, 0.125),
                1.5,
                0.25,
                null);
    }

    @Test
    void givesBackWhatAnotherLedgerWrote() {
        new TrialStore(folder).write(outcome(TRIAL, "k", 0.75));

        TrialOutcome read = new TrialStore(folder).outcome(TRIAL, "k");

        assertThat(read).isEqualTo(outcome(TRIAL, "k", 0.75));
        assertThat(new TrialStore(folder).all()).containsExactly(read);
    }

    @Test
    void anOutcomeOfOtherSettingsIsNone() {
        TrialStore trialStore = new TrialStore(folder);
        trialStore.write(outcome(TRIAL, "before", 0.75));

        assertThat(trialStore.outcome(TRIAL, "after")).isNull();
        assertThat(trialStore.outcome(new Trial("lora", 2e-3, 43), "before")).isNull();
        assertThat(trialStore.outcome(new Trial("lora", 2.1e-3, 42), "before")).isNull();
    }

    @Test
    void aTrialIsLockedOnceUntilItIsReleased() {
        TrialStore trialStore = new TrialStore(folder);
        try (TrialStore.TrialLock lock = trialStore.lock(TRIAL)) {
            assertThat(lock).isNotNull();
            assertThat(new TrialStore(folder).lock(TRIAL)).isNull();
            assertThat(trialStore.lock(new Trial("lora", 2e-3, 43))).isNotNull();
        }
        assertThat(trialStore.lock(TRIAL)).isNotNull();
    }

    @Test
    void anotherProcessIsKeptOutThoughTheTrialWasAskedForTwice() throws Exception {
        TrialStore trialStore = new TrialStore(folder);
        try (TrialStore.TrialLock lock = trialStore.lock(TRIAL)) {
            assertThat(trialStore.lock(TRIAL)).isNull();
            assertThat(lockedElsewhere()).as("while %s is held", lock).isEqualTo("null");
        }
        assertThat(lockedElsewhere()).startsWith("TrialLock");
    }

    private String lockedElsewhere() throws Exception {
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Other.class.getName(),
                        folder.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        return new String(other.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** Locks the trial. */
    static final class Other {
        public static void main(String[] args) {
            try (TrialStore.TrialLock lock = new TrialStore(Path.of(args[0])).lock(TRIAL)) {
                System.out.print(lock);
            }
        }
    }

    @Test
    void aFailureIsKept() {
        TrialOutcome failed = TrialOutcome.failed(
                TRIAL, "k", JsonNodeFactory.instance.objectNode(), JsonNodeFactory.instance.objectNode(), "refused: x");
        new TrialStore(folder).write(failed);

        assertThat(new TrialStore(folder).outcome(TRIAL, "k")).isEqualTo(failed);
    }

    @Test
    void aFileThatIsNoOutcomeIsRefusedByName() throws IOException {
        TrialStore trialStore = new TrialStore(folder);
        Files.writeString(folder.resolve("trials").resolve(TRIAL.name() + ".json"), "{\"method\": \"lora\"}");

        assertThatThrownBy(() -> trialStore.outcome(TRIAL, "k"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("learning_rate is missing");
    }
}
