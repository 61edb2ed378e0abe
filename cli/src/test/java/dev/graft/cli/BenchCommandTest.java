package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.tensor.ops.Int8GradientProduct;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class BenchCommandTest {
    @TempDir
    private Path folder;

    /** Rows such as make_workload.py writes; row k has 6 + k tokens. */
    private Path rows(boolean causal, int count) throws IOException {
        Random random = new Random(7);
        List<String> lines = new ArrayList<>();
        for (int row = 0; row < count; row++) {
            List<Integer> ids = IntStream.range(0, 6 + row)
                    .mapToObj(i -> 5 + random.nextInt(50))
                    .toList();
            String labels = IntStream.range(0, ids.size())
                    .mapToObj(i -> i < 3 ? "-100" : ids.get(i).toString())
                    .collect(Collectors.joining(", ", "[", "]"));
            lines.add("{\"input_ids\": " + ids + ", " + (causal ? "\"labels\": " + labels : "\"label\": " + row % 3)
                    + "}");
        }
        return Files.write(folder.resolve("rows.jsonl"), lines);
    }

    private static JsonNode last(Cli run) {
        assertThat(run.err()).doesNotContain("Exception");
        assertThat(run.code()).as(run.err()).isZero();
        List<String> lines = run.out().lines().toList();
        return Json.parse("last line", lines.get(lines.size() - 1));
    }

    private static Cli serve(Object... more) {
        List<Object> arguments = new ArrayList<>(List.of(
                "bench",
                "serve",
                "--model",
                Cli.base("llama-gqa"),
                "--rows=2",
                "--adapters=2",
                "--rank=2",
                "--prompt=4",
                "--new=3",
                "--warmup=1",
                "--repeats=1"));
        arguments.addAll(List.of(more));
        return Cli.run(arguments.toArray());
    }

    @Test
    void textsOfTheBaseOfOneAdapterAndOfManyAreTimed() {
        JsonNode figures = last(serve("--hot=3", "--registered=5", "--json"));
        JsonNode rates = figures.get("new_tokens_per_s");
        assertThat(rates.propertyNames()).containsExactly("base", "one", "mixed", "one, in turn", "hot, in turn");
        rates.forEach(rate -> assertThat(rate.doubleValue()).isPositive());
        assertThat(figures.get("first_token_p95_ms").doubleValue()).isPositive();
        assertThat(serve("--hot=2", "--registered=2").out()).contains("2 hot adapters of 2 cost");
        assertThat(serve("--hot=3", "--registered=2").err())
                .contains("--registered is 2, expected at least as many as --adapters, 2, and --hot, 3");
    }

    @Test
    void aSingleAdapterTellsNothingOfTheMemoryThatOneMoreTakes() {
        JsonNode figures = last(Cli.run(
                "bench",
                "serve",
                "--model",
                Cli.base("llama-gqa"),
                "--rows=1",
                "--adapters=1",
                "--hot=1",
                "--registered=1",
                "--rank=2",
                "--prompt=4",
                "--new=3",
                "--warmup=0",
                "--repeats=1",
                "--json"));
        assertThat(figures.get("adapter_memory_to_bytes").isNull()).isTrue();
        assertThat(figures.get("adapter_load_ms").doubleValue()).isPositive();
    }

    @Test
    void theLastLineHasTheFieldsOfThePeersScript() throws IOException {
        JsonNode figures = last(Cli.run(
                "bench",
                "train",
                "--model",
                Cli.base("llama-gqa"),
                "--data",
                rows(true, 4),
                "--task=causal",
                "--method=lora",
                "--targets=all-linear",
                "--rank=2",
                "--batch=2",
                "--steps=3",
                "--warmup=1",
                "--threads=1",
                "--dtype=fp32",
                "--json"));
        assertThat(figures.propertyNames())
                .containsExactly(
                        "peer",
                        "method",
                        "recipe",
                        "task",
                        "tokens_per_s",
                        "step_s_median",
                        "steps",
                        "tokens",
                        "trainable",
                        "peak_rss_mb",
                        "import_s",
                        "load_s",
                        "loss_first",
                        "loss_last",
                        "threads",
                        "first_step_s",
                        "dtype",
                        "int8_gradients",
                        "quantization",
                        "base_mb");
        assertThat(figures.get("peer").stringValue()).isEqualTo("graft");
        assertThat(figures.get("recipe").stringValue()).isEqualTo("tuned");
        assertThat(figures.get("task").stringValue()).isEqualTo("causal");
        assertThat(figures.get("dtype").stringValue()).isEqualTo("fp32");
        assertThat(figures.get("int8_gradients").booleanValue()).isFalse();
        assertThat(figures.get("threads").intValue()).isOne();
        assertThat(figures.get("steps").intValue()).isEqualTo(3);
        // Four batches of the lengths (6, 6), (7, 7), (8, 8), (9, 9), the order of which Python's shuffle makes 2, 0,
        // 1, 3.
        assertThat(figures.get("tokens").intValue()).isEqualTo(2 * (6 + 7 + 9));
        double tokensPerSecond = figures.get("tokens_per_s").doubleValue();
        assertThat(tokensPerSecond).isPositive();
        assertThat(figures.get("loss_first").doubleValue()).isBetween(3.0, 8.0);
        assertThat(figures.get("first_step_s").doubleValue())
                .isGreaterThanOrEqualTo(figures.get("import_s").doubleValue())
                .isGreaterThanOrEqualTo(figures.get("load_s").doubleValue());
        assertThat(figures.get("peak_rss_mb").intValue()).isBetween(50, 20_000);
    }

    @Test
    void theTunedRecipeRoundsGradientsWhereThatIsFaster() throws IOException {
        Path wide = TinyLlama.write(folder.resolve("wide"), 256, 512);
        List<String> arguments = List.of(
                "bench",
                "train",
                "--model=" + wide,
                "--data=" + rows(true, 4),
                "--task=causal",
                "--batch=2",
                "--steps=1",
                "--warmup=0",
                "--threads=1",
                "--json");
        Map<String, Boolean> expected = Map.of(
                "--dtype=bf16",
                Int8GradientProduct.isFaster(),
                "--dtype=fp32",
                false,
                "--dtype=bf16 --recipe=default",
                false,
                "--dtype=bf16 --int8-gradients=false",
                false);
        expected.forEach((options, rounds) -> {
            List<String> all = new ArrayList<>(arguments);
            all.addAll(List.of(options.split(" ")));
            assertThat(last(Cli.run(all.toArray())).get("int8_gradients").booleanValue())
                    .as(options)
                    .isEqualTo(rounds);
        });
    }

    @Test
    void aClassifierGetsAsManyLabelsAsTheRowsHave() throws IOException {
        Object[] arguments = {
            "bench",
            "train",
            "--model",
            Cli.base("bert-base"),
            "--data",
            rows(false, 6),
            "--task=classify",
            "--method=lora",
            "--rank=4",
            "--batch=3",
            "--steps=1",
            "--warmup=0",
            "--recipe=default",
            "--json"
        };
        JsonNode figures = last(Cli.run(arguments));
        // Row by row in the order of the file: 6, 7 and 8 tokens.
        assertThat(figures.get("tokens").intValue()).isEqualTo(21);
        assertThat(figures.get("recipe").stringValue()).isEqualTo("default");
        // Two layers of six linears and the pooler, width 32 and 64, and a head of 3 x 33.
        int lora = 2 * 4 * (4 * (32 + 32) + 2 * (32 + 64)) + 4 * (32 + 32);
        assertThat(figures.get("trainable").intValue()).isEqualTo(lora + 3 * 33);
        assertThat(figures.get("loss_first").doubleValue()).isBetween(0.8, 1.6);
    }

    @ParameterizedTest
    @CsvSource({"dora, 0", "ia3, 192", "prompt, 640", "prefix, 1280", "pfeiffer, 0"})
    void otherMethodsTrainWhatThePeersDo(String method, int trainable) throws IOException {
        JsonNode figures = last(Cli.run(
                "bench",
                "train",
                "--model",
                Cli.base("llama-gqa"),
                "--data",
                rows(true, 3),
                "--task=causal",
                "--method=" + method,
                "--batch=2",
                "--steps=1",
                "--warmup=0",
                "--json"));
        assertThat(figures.get("method").stringValue()).isEqualTo(method);
        if (trainable > 0) {
            assertThat(figures.get("trainable").intValue()).isEqualTo(trainable);
        } else {
            assertThat(figures.get("trainable").intValue()).isPositive();
        }
    }

    @Test
    void whatIsLeftOutIsComparedWithTheSameStepsWithout() throws IOException {
        List<Object> arguments = new ArrayList<>(List.of("bench", "train", "--model", Cli.base("llama-gqa")));
        arguments.addAll(List.of("--data", rows(true, 8), "--task=causal", "--batch=2", "--steps=6", "--warmup=2"));
        arguments.addAll(List.of("--dtype=fp32", "--json", "--auto-freeze=100", "--auto-freeze-steps=2"));
        JsonNode frozen = last(Cli.run(arguments.toArray()));
        JsonNode saving = frozen.get("saving");
        assertThat(saving.get("time_ratio").doubleValue()).isPositive();
        assertThat(saving.get("frozen_parameters").intValue()).isPositive();
        assertThat(saving.at("/without/loss_first").doubleValue())
                .as("nothing is frozen before the second look")
                .isCloseTo(frozen.get("loss_first").doubleValue(), Offset.offset(1e-4));
        assertThat(saving.at("/without/loss_last").doubleValue())
                .isNotEqualTo(frozen.get("loss_last").doubleValue());

        Cli dropped =
                Cli.run(Stream.concat(arguments.stream().limit(arguments.size() - 3), Stream.of("--drop-backward=0.5"))
                        .toArray());
        assertThat(dropped.code()).as(dropped.err()).isZero();
        assertThat(dropped.out())
                .contains("without drop_backward=0.5: ", "a step takes ", "looking what to leave out took ");
    }

    @Test
    void peopleReadALineOfFigures() throws IOException {
        Cli run = Cli.run(
                "bench",
                "train",
                "--model",
                Cli.base("llama-gqa"),
                "--data",
                rows(true, 2),
                "--task=causal",
                "--batch=1",
                "--steps=2",
                "--warmup=1");
        assertThat(run.out()).contains(" tokens/s, median step ", "(2 steps, ", "peak memory ", "first step after ");
        assertThat(run.err()).contains("trainable params: ", "step 1/3 (warm-up)  loss ", "step 3/3  loss ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--method=lroa | there is no method \"lroa\"; did you mean lora?",
                "--method=ia3 --rank=4 | options of ia3: unknown field \"r\"",
                "--batch=0 | --batch is 0, expected at least 1",
                "--steps=0 | --steps is 0, expected at least 1",
                "--warmup=-1 | --warmup is -1, expected at least 0",
                "--steps=2000000000 --batch=2000000000 | are more than ten million rows",
                "--auto-freeze-steps=2 | --auto-freeze is not given",
                "--auto-freeze=101 | auto_freeze is 101.0",
                "--drop-backward=0.5 --warmup=1 | give --warmup 2 or more",
                "--drop-backward=0.5 --profile | leave out --drop-backward",
                "--threads=0 | --threads is 0, expected at least 1",
                "--recipe=fast | --recipe",
                "--task=translate | --task",
                "--task=classify | rows.jsonl:1",
                "--targets=nothing_proj | nothing_proj"
            })
    void badOptionsAreBadInput(String options, String message) throws IOException {
        List<Object> arguments =
                new ArrayList<>(List.of("bench", "train", "--model", Cli.base("llama-gqa"), "--data", rows(true, 2)));
        if (!options.contains("--task")) {
            arguments.add("--task=causal");
        }
        arguments.addAll(List.of(options.split(" ")));
        Cli run = Cli.run(arguments.toArray());
        assertThat(run.err()).contains(message);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "data", "task"})
    void whatIsNeededIsAskedFor(String option) throws IOException {
        List<Object> arguments = new ArrayList<>(List.of(
                "bench", "train", "--model=" + Cli.base("llama-gqa"), "--data=" + rows(true, 2), "--task=causal"));
        arguments.removeIf(argument -> argument.toString().startsWith("--" + option));
        Cli run = Cli.run(arguments.toArray());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--" + option);
    }

    @Test
    void anEncoderCannotLearnToContinue() throws IOException {
        Cli run = Cli.run("bench", "train", "--model", Cli.base("bert-base"), "--data", rows(true, 2), "--task=causal");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("CAUSAL_LM");
    }

    @Test
    void benchAloneAsksWhichMeasurement() {
        Cli run = Cli.run("bench");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("which measurement: train, latency, compare, load or serve?\n");
    }

    @Test
    void aPythonWithoutThePeerIsRefusedWithTheCommandThatMakesOne() {
        Cli run = Cli.run("bench", "compare", "--peer=../benchmarks/peer", "--python=no-such-python");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err())
                .contains("no-such-python is no Python with Hugging Face PEFT")
                .contains("python3 -m venv target/peer && target/peer/bin/pip install peft");
    }

    @Test
    void aServersPeerIsAskedForByName() {
        assertThat(serve("--python=python3").err()).contains("--python and --peer go with --beside-peft");
        Cli run = serve("--beside-peft", "--peer=../benchmarks/peer", "--python=no-such-python");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("no-such-python is no Python with Hugging Face PEFT");
        assertThat(Cli.run("bench", "serve", "--model", Cli.base("llama-gqa"), "--warmup=-1")
                        .err())
                .contains("--warmup is -1, expected at least 0");
    }

    @Test
    void thePeersScriptsMustBeThere() {
        Cli run = Cli.run("bench", "compare", "--peer", folder);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err())
                .contains("there is no " + folder.resolve("hf_peft_train.py"))
                .contains("--peer");
    }

    @Test
    void quickFiguresAreNotRecorded() {
        Cli run = Cli.run("bench", "compare", "--quick", "--write");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--write");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--rounds", "--steps", "--threads"})
    void nothingIsComparedWithoutARoundOrAStep(String option) {
        Cli run = Cli.run("bench", "compare", option + "=0");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith(option + " is 0, expected at least 1\n");
    }

    @Test
    void loadingIsTimedAndItsMemoryMeasured() {
        Cli run = Cli.run("bench", "load", "--model", Cli.FIXTURES.resolve("bases/bert-base"), "--json");
        assertThat(run.code()).as(run.err()).isZero();
        JsonNode json = Json.parse("out", run.out());
        assertThat(json.get("weight_bytes").asLong()).isGreaterThan(40_000);
        assertThat(json.get("seconds").asDouble()).isBetween(0.0, 10.0);
        assertThat(json.has("memory_share")).isTrue();
        assertThat(Cli.run("bench", "load", "--model", Cli.FIXTURES.resolve("bases/bert-base"))
                        .out())
                .contains("ready in")
                .contains("times the weights");
    }
}
