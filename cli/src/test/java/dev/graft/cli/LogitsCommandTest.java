package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LogitsCommandTest {
    @TempDir
    private Path folder;

    /** The batch that the references were computed for. */
    private Path referenceIds(String base) throws IOException {
        StringBuilder json = new StringBuilder("{");
        try (Safetensors reference = Safetensors.open(Cli.base(base).resolve("reference.safetensors"))) {
            for (String field : new String[] {"input_ids", "attention_mask", "token_type_ids"}) {
                if (reference.names().contains(field)) {
                    json.append(json.length() > 1 ? ", " : "")
                            .append('"')
                            .append(field)
                            .append("\": ");
                    json.append(rows(reference.tensor(field)));
                }
            }
        }
        return Files.writeString(folder.resolve("ids.json"), json + "}");
    }

    private static String rows(TensorData tensor) {
        long[] shape = tensor.info().shape();
        ByteBuffer bytes = tensor.bytes();
        long[][] rows = new long[(int) shape[0]][(int) shape[1]];
        for (long[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                row[i] = bytes.getLong();
            }
        }
        return Arrays.deepToString(rows);
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, , logits",
        "llama-gqa, llama-gqa/lora, logits",
        "llama-gqa, llama-gqa/ia3, logits",
        "bert-seqcls, , logits",
        "bert-qa, , start_logits",
        "bert-qa, , end_logits",
        "bert-base, , last_hidden_state",
        "llama-gqa, , hidden_states.2"
    })
    void numbersAreThoseOfTheReference(String base, String adapter, String tensor) throws IOException {
        Path out = folder.resolve("out.safetensors");
        Path ids = referenceIds(base);
        Cli run = adapter == null
                ? Cli.run("logits", "--model", Cli.base(base), "--input-ids", ids, "--out", out, "--hidden")
                : Cli.run(
                        "logits",
                        "--model",
                        Cli.base(base),
                        "--adapter",
                        Cli.adapter(adapter),
                        "--input-ids",
                        ids,
                        "--out",
                        out);
        assertThat(run.err()).contains("fp32");
        assertThat(run.code()).isZero();
        Path expected = adapter == null ? Cli.base(base) : Cli.adapter(adapter);
        try (Safetensors written = Safetensors.open(out);
                Safetensors reference = Safetensors.open(expected.resolve("reference.safetensors"))) {
            float[] ours = written.tensor(tensor).floats();
            float[] theirs = reference.tensor(tensor).floats();
            assertThat(written.info(tensor).shape())
                    .isEqualTo(reference.info(tensor).shape());
            int compared = 0;
            for (int i = 0; i < ours.length; i++) {
                // The reference has zeros at padded positions.
                if (theirs[i] != 0) {
                    assertThat(ours[i]).isCloseTo(theirs[i], within(1e-4f));
                    compared++;
                }
            }
            assertThat(compared).isGreaterThan(ours.length / 2);
        }
    }

    @Test
    void theJsonNamesShapes() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": [[1, 2, 3], [4, 5, 6]]}");
        Cli run = Cli.run(
                "logits", "-m", Cli.base("bert-qa"), "--input-ids", ids, "--out", folder.resolve("o"), "--json");
        assertThat(run.json().at("/tensors/start_logits").toString()).isEqualTo("[2,3]");
        assertThat(run.json().at("/tensors/logits").toString()).isEqualTo("[2,3,2]");
    }

    @Test
    void manyRowsGoThroughInPartsAndGiveTheSame() throws IOException {
        StringBuilder rows = new StringBuilder("[[1, 2, 3, 4, 5, 6, 7, 8]");
        rows.append(", [1, 2, 3, 4, 5, 6, 7, 8]".repeat(599)).append(']');
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": " + rows + "}");
        Path out = folder.resolve("o");
        assertThat(Cli.run("logits", "-m", Cli.base("llama-gqa"), "--input-ids", ids, "--out", out)
                        .code())
                .isZero();
        try (Safetensors written = Safetensors.open(out)) {
            float[] logits = written.tensor("logits").floats();
            int row = 8 * 64;
            assertThat(logits).hasSize(600 * row);
            for (int i = 0; i < row; i++) {
                assertThat(logits[599 * row + i]).isCloseTo(logits[i], within(1e-5f));
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"input_ids\": [[1, 2, 3], [1, 2]]} | input_ids[1] has 2 values, expected 3 as row 0 has: pad the shorter rows",
                "{\"input_ids\": [[1, 2], [1, 64]]} | input_ids[1][1] is 64, expected 0 to 63, the token ids of ",
                "{\"input_ids\": [[1, -2]]} | input_ids[0][1] is -2, expected an integer of at least 0",
                "{\"input_ids\": [[1, 2.5]]} | input_ids[0][1] is 2.5, expected an integer",
                "{\"input_ids\": [[]]} | input_ids[0] is not an array of at least one integer",
                "{\"input_ids\": []} | input_ids is [], expected at least one row",
                "{\"ids\": [[1]]} | input_ids is missing, expected an array",
                "{\"input_ids\": [[1, 2]], \"attention_mask\": [[1, 2]]} | attention_mask[0][1] is 2, expected 0 or 1",
                "{\"input_ids\": [[1, 2]], \"attention_mask\": [[0, 0]]} | attention_mask[0] has no 1",
                "{\"input_ids\": [[1, 2]], \"attention_mask\": [[1]]} | attention_mask[0] has 1 values, expected 2 as input_ids[0] has",
                "{\"input_ids\": [[1, 2]], \"attention_mask\": []} | attention_mask is [], expected at least one row",
                "{\"input_ids\": [[1, 2]], \"atention_mask\": [[1, 1]]} | unknown field \"atention_mask\", did you mean \"attention_mask\"?",
                "{\"input_ids\": [[1, 2]} | ids.json:1:"
            })
    void idsThatAreWrongAreRefusedWithTheirPlace(String json, String message) throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), json);
        Path out = folder.resolve("o");
        Cli run = Cli.run("logits", "-m", Cli.base("llama-gqa"), "--input-ids", ids, "--out", out);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("ids.json", message);
        assertThat(out).doesNotExist();
    }

    @Test
    void rowsLongerThanTheModelCanTakeAreRefused() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": [[1" + ", 1".repeat(64) + "]]}");
        Cli run = Cli.run("logits", "-m", Cli.base("llama-gqa"), "--input-ids", ids, "--out", folder.resolve("o"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("its rows have 65 tokens", "takes at most 64");
    }

    @Test
    void anAdapterThatIsNotThereIsBadInput() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": [[1]]}");
        Cli run = Cli.run(
                "logits",
                "-m",
                Cli.base("llama-gqa"),
                "-a",
                "no/such",
                "--input-ids",
                ids,
                "--out",
                folder.resolve("o"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err())
                .isEqualTo(
                        "no/such: no such adapter; expected a folder with adapter_config.json, or hf:no/such for the hub\n");
    }

    @Test
    void anAdapterOfAnotherBaseIsRefused() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": [[1]]}");
        Cli run = Cli.run(
                "logits",
                "-m",
                Cli.base("llama-mha"),
                "-a",
                Cli.adapter("llama-gqa/lora"),
                "--input-ids",
                ids,
                "--out",
                folder.resolve("o"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("v_proj.lora_B.weight has shape [16, 4], expected [32, 4]");
    }

    @Test
    void aBaseGetsTheHeadThatItsAdapterWasTrainedWith() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": [[5, 6, 7]]}");
        Path out = folder.resolve("o");
        // bert-base has no classifier; the adapter brings one of three outputs.
        Cli run = Cli.run(
                "logits",
                "-m",
                Cli.base("bert-base"),
                "-a",
                Cli.adapter("bert-seqcls/lora"),
                "--input-ids",
                ids,
                "--out",
                out);
        assertThat(run.err()).contains("with lora on ");
        try (Safetensors written = Safetensors.open(out)) {
            assertThat(written.info("logits").shape()).containsExactly(1, 3);
        }
    }
}
