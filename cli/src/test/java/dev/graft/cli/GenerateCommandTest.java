package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class GenerateCommandTest {
    @TempDir
    private static Path folder;

    private static Path model;

    @BeforeAll
    static void makeModel() throws IOException {
        model = TinyLlama.write(folder.resolve("model"));
    }

    private static Cli generate(Object... more) {
        Object[] arguments = new Object[more.length + 5];
        Object[] first = {"generate", "-m", model, "--dtype", "fp32"};
        System.arraycopy(first, 0, arguments, 0, 5);
        System.arraycopy(more, 0, arguments, 5, more.length);
        return Cli.run(arguments);
    }

    @Test
    void theTextIsTheSameStreamedAndWhole() {
        Cli whole = generate("--prompt", "a graft", "--max-new-tokens", 12, "--no-stream");
        Cli streamed = generate("--prompt", "a graft", "--max-new-tokens", 12, "--stream");
        assertThat(whole.code()).isZero();
        assertThat(whole.out()).hasSizeGreaterThan(3).isEqualTo(streamed.out());
        assertThat(whole.err()).contains("12 tokens, ", "cut at the length allowed");
    }

    @Test
    void aQuantisedBaseWritesTheSameWithoutPackingInFp32() {
        Object[] words = {"--prompt", "a graft", "--max-new-tokens", 5, "--quantization", "int8", "--no-stream"};
        Cli packed = generate(words);
        Object[] more = Arrays.copyOf(words, words.length + 1);
        more[words.length] = "--no-pack";
        Cli once = generate(more);
        assertThat(once.code()).as(once.err()).isZero();
        assertThat(once.out()).as("in fp32 nothing is packed").isEqualTo(packed.out());
    }

    @Test
    void theJsonHasTokensAndTheReason() {
        JsonNode json =
                generate("--prompt", "a graft", "--max-new-tokens", 5, "--json").json();
        assertThat(json.get("ids").size()).isEqualTo(5);
        assertThat(json.get("finish_reason").stringValue()).isEqualTo("length");
        assertThat(json.get("prompt").stringValue()).isEqualTo("a graft");
        assertThat(json.get("tokens_per_second").doubleValue()).isPositive();
    }

    @Test
    void thePromptMayComeFromStandardInput() {
        Cli piped = Cli.runWith(
                "a graft\n",
                "generate",
                "-m",
                model,
                "--dtype",
                "fp32",
                "--prompt",
                "-",
                "--max-new-tokens",
                5,
                "--json");
        assertThat(piped.json().get("ids"))
                .isEqualTo(generate("--prompt", "a graft", "--max-new-tokens", 5, "--json")
                        .json()
                        .get("ids"));
    }

    @Test
    void theSeedDecidesWhatIsDrawn() {
        Object[] sampled = {"--prompt", "a", "--temperature", 2, "--max-new-tokens", 20, "--json", "--seed", 1};
        Object[] other = sampled.clone();
        other[8] = 2;
        JsonNode first = generate(sampled).json().get("ids");
        assertThat(generate(sampled).json().get("ids")).isEqualTo(first);
        assertThat(generate(other).json().get("ids")).isNotEqualTo(first);
    }

    @Test
    void aStopTextEndsTheText() {
        String whole = generate("--prompt", "a graft", "--max-new-tokens", 12, "--json")
                .json()
                .get("text")
                .stringValue();
        String stop = whole.substring(2, 4);
        JsonNode stopped = generate("--prompt", "a graft", "--max-new-tokens", 12, "--json", "--stop", stop)
                .json();
        assertThat(stopped.get("finish_reason").stringValue()).isEqualTo("stop_string");
        assertThat(stopped.get("text").stringValue()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
    }

    @ParameterizedTest
    @CsvSource({
        "--max-new-tokens, 0, 'max_new_tokens is 0, expected a number of at least 1'",
        "--top-p, 2, 'top_p is 2, expected a number of more than 0 and at most 1'",
        "--temperature, -1, 'temperature is -1, expected a number of at least 0'",
        "--threads, 0, '--threads is 0, expected at least 1'",
        "--threads, 99999, '--threads is 99999, expected at least 1 and at most '",
        "--dtype, fp8, 'expected one of [auto, fp32, bf16]'"
    })
    void valuesOutOfRangeAreRefused(String option, String value, String message) {
        Cli run = Cli.run("generate", "-m", model, "--prompt", "a", option, value);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(message);
    }

    @Test
    void anEncoderWritesNoText() {
        Cli run = Cli.run("generate", "-m", Cli.base("bert-seqcls"), "--prompt", "a");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("generating text needs CAUSAL_LM");
    }
}
