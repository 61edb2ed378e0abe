package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class ClaimsCommandTest {
    @TempDir
    private Path folder;

    private Cli claims(Object... more) {
        Object[] words = new Object[more.length + 10];
        System.arraycopy(
                new Object[] {
                    "claims",
                    "--claim",
                    "g",
                    "model=file:" + Cli.base("bert-base"),
                    "rates=[1]",
                    "seeds=1",
                    "max_steps=2",
                    "data.max_train_rows=16",
                    "data.max_eval_rows=12",
                    "max_seq_length=20"
                },
                0,
                words,
                0,
                10);
        System.arraycopy(more, 0, words, 10, more.length);
        return Cli.run(words);
    }

    @Test
    void aClaimHasEffectsAVerdictAndAPageAndGoesOnFromItsTrials() {
        Cli run = claims("--json", "output_dir=" + folder.resolve("out"));

        assertThat(run.code()).as(run.err()).isZero();
        JsonNode finding = run.json().at("/findings/0");
        assertThat(finding.get("claim").stringValue()).isEqualTo("g");
        assertThat(finding.get("effects")).hasSize(2);
        assertThat(finding.at("/effects/0/interval")).hasSize(2);
        assertThat(folder.resolve("out/report.html")).content().contains("twin", "Verdicts");
        assertThat(run.err()).contains("5/5  bitfit");

        Cli again = claims("--json", "output_dir=" + folder.resolve("out"));
        assertThat(again.out()).isEqualTo(run.out());
        assertThat(again.err()).doesNotContain("5/5  bitfit");
    }

    @Test
    void tablesWithoutAClaimSayWhereLoraIsPutAndHowFarProbabilitiesAreOff() throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 40; i++) {
            rows.append("{\"text\": \"%s %d\", \"label\": \"%s\"}\n".formatted(i % 2 == 0 ? "wolf" : "cake", i, i % 2));
        }
        Path file = Files.writeString(folder.resolve("rows.jsonl"), rows);
        Cli run = Cli.run(
                "claims",
                "--investigate",
                "layers,calibration",
                "--json",
                "model=file:" + Cli.base("bert-base"),
                "rates=[1]",
                "seeds=1",
                "max_steps=2",
                "methods=[lora]",
                "data.train=" + file,
                "data.test=" + file,
                "data.valid_fraction=0.3",
                "max_seq_length=20",
                "output_dir=" + folder.resolve("out"));
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("findings")).isEmpty();
        JsonNode layers = run.json().at("/investigations/layers/cells");
        assertThat(layers.valueStream().map(cell -> cell.get("row").stringValue()))
                .contains("frozen-base", "full-fine-tuning", "lora-everywhere", "lora-on-query", "lora-in-layer-2");
        JsonNode calibration = run.json().at("/investigations/calibration/cells");
        assertThat(calibration
                        .valueStream()
                        .filter(cell -> cell.get("column").stringValue().equals("ece"))
                        .mapToDouble(cell -> cell.get("value").doubleValue()))
                .hasSize(9)
                .allMatch(error -> error >= 0 && error <= 1);
        assertThat(folder.resolve("out/report.html"))
                .content()
                .contains("LoRA in some places alone", "--investigate layers");
        assertThat(Cli.run("claims", "--investigate", "x").err()).contains("nothing to investigate called x");
    }

    @Test
    void otherLettersAndWordsAreRefused() {
        assertThat(Cli.run("claims", "--claim", "z").err()).contains("there is no claim z");
        assertThat(Cli.run("claims", "quick").err()).contains("quick: expected key=value");
    }
}
