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

class LedgerTest {
    static final Trial TRIAL = new Trial("lora", 2e-3, 42);

    @TempDir
    private Path folder;

    static Outcome outcome(Trial trial, String key, double accuracy) {
        return new Outcome(
                trial,
                key,
                JsonNodeFactory.instance.objectNode().put("base", "tiny"),
                JsonNodeFactory.instance.objectNode().put("r", 16),
                120,
                1200,
                Map.of("accuracy", accuracy),
                new Tested(
                        Map.of("accuracy", accuracy / 2, "matthews", Double.NaN),
                        List.of(1.0, 0.0, 1.0),
                        List.of(1.0, 1.0, 1.0)),
                Map.of("b", new Tested(Map.of("accuracy", 0.25), List.of(0.5, 1.0), List.of(2.0, 3.0))),
                List.of(2.5, 0.125),
                1.5,
                0.25,
                null);
    }

    @Test
    void givesBackWhatAnotherLedgerWrote() {
        new Ledger(folder).write(outcome(TRIAL, "k", 0.75));

        Outcome read = new Ledger(folder).outcome(TRIAL, "k");

        assertThat(read).isEqualTo(outcome(TRIAL, "k", 0.75));
        assertThat(new Ledger(folder).all()).containsExactly(read);
    }

    @Test
    void anOutcomeOfOtherSettingsIsNone() {
        Ledger ledger = new Ledger(folder);
        ledger.write(outcome(TRIAL, "before", 0.75));

        assertThat(ledger.outcome(TRIAL, "after")).isNull();
        assertThat(ledger.outcome(new Trial("lora", 2e-3, 43), "before")).isNull();
        assertThat(ledger.outcome(new Trial("lora", 2.1e-3, 42), "before")).isNull();
    }

    @Test
    void aTrialIsOnlyClaimedOnceUntilItIsLeft() {
        Ledger ledger = new Ledger(folder);
        try (Ledger.Claim claim = ledger.claim(TRIAL)) {
            assertThat(claim).isNotNull();
            assertThat(new Ledger(folder).claim(TRIAL)).isNull();
            assertThat(ledger.claim(new Trial("lora", 2e-3, 43))).isNotNull();
        }
        assertThat(ledger.claim(TRIAL)).isNotNull();
    }

    @Test
    void anotherProcessIsKeptOutThoughTheTrialWasAskedForTwice() throws Exception {
        Ledger ledger = new Ledger(folder);
        try (Ledger.Claim claim = ledger.claim(TRIAL)) {
            assertThat(ledger.claim(TRIAL)).isNull();
            assertThat(claimedElsewhere()).as("while %s is held", claim).isEqualTo("null");
        }
        assertThat(claimedElsewhere()).startsWith("Claim");
    }

    private String claimedElsewhere() throws Exception {
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

    /** Claims the trial. */
    static final class Other {
        public static void main(String[] args) {
            try (Ledger.Claim claim = new Ledger(Path.of(args[0])).claim(TRIAL)) {
                System.out.print(claim);
            }
        }
    }

    @Test
    void aFailureIsKept() {
        Outcome failed = Outcome.failed(
                TRIAL, "k", JsonNodeFactory.instance.objectNode(), JsonNodeFactory.instance.objectNode(), "refused: x");
        new Ledger(folder).write(failed);

        assertThat(new Ledger(folder).outcome(TRIAL, "k")).isEqualTo(failed);
    }

    @Test
    void aFileThatIsNoOutcomeIsRefusedByName() throws IOException {
        Ledger ledger = new Ledger(folder);
        Files.writeString(folder.resolve("trials").resolve(TRIAL.name() + ".json"), "{\"method\": \"lora\"}");

        assertThatThrownBy(() -> ledger.outcome(TRIAL, "k"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("learning_rate is missing");
    }
}
