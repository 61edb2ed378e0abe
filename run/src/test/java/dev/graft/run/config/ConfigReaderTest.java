package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.matrices.Quantization;
import dev.graft.run.config.OptimizerOptions.LrScheduler;
import dev.graft.run.config.OutputOptions.Log;
import dev.graft.train.data.LossOn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigReaderTest {
    private static final String MINIMAL = "model: file:m\ndata: {train: d.jsonl}\n";

    @TempDir
    Path folder;

    private final List<String> notices = new ArrayList<>();
    private Path recipe;

    @BeforeEach
    void recipe() {
        recipe = folder.resolve("r.yaml");
    }

    private RunConfig read(String yaml, String... overrides) {
        return read(yaml, Map.of(), overrides);
    }

    private RunConfig read(String yaml, Map<String, String> flags, String... overrides) {
        try {
            Files.writeString(recipe, yaml);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return ConfigReader.read(recipe, List.of(overrides), flags, notices::add);
    }

    private RunConfig overridden(String... overrides) {
        List<String> all = Stream.concat(Stream.of("model=file:m", "data.train=d.jsonl"), Arrays.stream(overrides))
                .toList();
        return ConfigReader.read(null, all, Map.of(), notices::add);
    }

    @Test
    void anotherMethodLeavesTheOptionsOfTheRecipesOneOut() {
        String yaml = MINIMAL + "method: lora\nlora: {r: 8, alpha: 16}\nepochs: 2\n";
        RunConfig config = read(yaml, "method=ia3");
        assertThat(config.base().method()).isEqualTo("ia3");
        assertThat(config.methodOptions()).doesNotContainKeys("r", "alpha");
        assertThat(notices)
                .containsExactly(
                        "method is ia3, so these are left out: " + recipe + ":4: lora.r, " + recipe + ":4: lora.alpha");
        assertThatThrownBy(() -> read(yaml, "method=ia3", "lora.r=4"))
                .as("what is asked for beside it isn't")
                .hasMessageContaining("lora.r: unknown option; it belongs to method lora, but method is ia3");
    }

    @Test
    void theDefaultsAreThoseOfTheField() {
        RunConfig config = overridden();

        assertThat(config.base().method()).isEqualTo("lora");
        assertThat(config.methodOptions())
                .containsOnly(
                        Map.entry("r", 16),
                        Map.entry("alpha", 32.0),
                        Map.entry("dropout", 0.0),
                        Map.entry("target_modules", "all-linear"));
        assertThat(config.base().dtype()).isEqualTo(NumericsChoice.AUTO);
        assertThat(config.base().seed()).isEqualTo(42);
        assertThat(config.optimisation().learningRate()).isNull();
        assertThat(config.optimisation().lrScheduler()).isEqualTo(LrScheduler.LINEAR);
        assertThat(config.optimisation().maxGradNorm()).as("1, for lbfgs none").isNull();
        assertThat(config.optimisation().maxLossSpike()).isEqualTo(10);
        assertThat(config.output().saveTotalLimit()).isEqualTo(2);
        assertThat(config.output().reportTo()).containsExactly(Log.CSV, Log.JSONL, Log.TENSORBOARD);
        assertThat(config.goal().lossOn()).isEqualTo(LossOn.COMPLETION);
        assertThat(config.schedule().groupByLength()).isTrue();
    }

    @Test
    void flagsWinOverOverridesOverTheFileOverDefaults() {
        String yaml = MINIMAL + "seed: 1\nepochs: 1\nbatch_size: 1\n";

        RunConfig config = read(yaml, Map.of("seed", "3"), "seed=2", "epochs=2");

        assertThat(config.base().seed()).isEqualTo(3);
        assertThat(config.schedule().epochs()).isEqualTo(2);
        assertThat(config.schedule().batchSize()).isEqualTo(1);
        assertThat(config.schedule().gradientAccumulationSteps()).isEqualTo(1);
    }

    @Test
    void anAliasInAHigherLayerWinsOverTheNameInALowerOne() {
        RunConfig config = read(MINIMAL + "learning_rate: 1\n", Map.of("lr", "3e-4"));

        assertThat(config.optimisation().learningRate()).isEqualTo(3e-4);
        assertThat(notices).containsExactly("--lr is called learning_rate here");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "model_name_or_path: x | model | x",
                "base_model: x | model | x",
                "finetuning_type: lora | method | lora",
                "tuner_type: lora | method | lora",
                "adapter: lora | method | lora",
                "peft_type: LORA | method | lora",
                "cutoff_len: 99 | max_seq_length | 99",
                "sequence_len: 99 | max_seq_length | 99",
                "tokenizer: {max_seq_len: 99} | max_seq_length | 99",
                "train: {max_seq_length: 99} | max_seq_length | 99",
                "max_length: 99 | max_seq_length | 99",
                "micro_batch_size: 5 | batch_size | 5",
                "per_device_train_batch_size: 5 | batch_size | 5",
                "train: {micro_batch_size: 5} | batch_size | 5",
                "grad_accumulation_steps: 5 | gradient_accumulation_steps | 5",
                "num_train_epochs: 5.0 | epochs | 5",
                "num_epochs: 5 | epochs | 5",
                "iters: 600 | max_steps | 600",
                "train: {max_time: 30m} | max_time | 1800s",
                "lr: 1e-5 | learning_rate | 1.0e-5",
                "grad_checkpoint: true | gradient_checkpointing | true",
                "disable_gradient_checkpointing: false | gradient_checkpointing | true",
                "optim: adamw_bnb_8bit | optimizer | adamw_8bit",
                "optimizer: {lr: 2e-5} | learning_rate | 2.0e-5",
                "lr_scheduler_type: cosine | lr_scheduler | cosine",
                "lr_schedule: cosine | lr_scheduler | cosine",
                "lr_warmup_steps: 7 | warmup_steps | 7",
                "train_on_inputs: true | loss_on | all",
                "train_on_prompt: false | loss_on | assistant",
                "mask_prompt: false | loss_on | all",
                "roles_to_train: [assistant] | loss_on | assistant",
                "bf16: auto | dtype | auto",
                "precision: bf16-true | dtype | bf16",
                "torch_dtype: float32 | dtype | fp32",
                "out_dir: o | output_dir | o",
                "adapter_path: o | output_dir | o",
                "resume_from_checkpoint: true | resume | auto",
                "resume_from_checkpoint: c/checkpoint-5 | resume | c/checkpoint-5",
                "steps_per_eval: 9 | eval_steps | 9",
                "eval: {interval: 9} | eval_steps | 9",
                "save_every: 9 | save_steps | 9",
                "train: {save_interval: 9} | save_steps | 9",
                "steps_per_report: 9 | logging_steps | 9",
                "log_every_n_steps: 9 | logging_steps | 9",
                "logger_name: csv | report_to | [csv]",
                "load_best_model_at_end: true | load_best | true",
            })
    void aNameOfAnotherTrainerIsTakenWithOneNotice(String yaml, String name, String written) {
        String minimal = name.equals("model") ? "data: {train: d}\n" : MINIMAL;

        RunConfig config = read(minimal + yaml);

        assertThat(RecipeWriter.write(config, "x")).containsPattern("(?m)^" + name + ": \\Q" + written + "\\E  #");
        assertThat(notices)
                .singleElement()
                .asString()
                .contains(" is called " + name)
                .contains("r.yaml:");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lora_rank=4 | r | 4",
                "lora_r=4 | r | 4",
                "rank=4 | r | 4",
                "lora.rank=4 | r | 4",
                "lora_parameters.rank=4 | r | 4",
                "lora_alpha=4 | alpha | 4.0",
                "lora_dropout=0.5 | dropout | 0.5",
                "lora_target=all | target_modules | all-linear",
                "lora_target_linear=true | target_modules | all-linear",
                "lora_target_modules=[q_proj, v_proj] | target_modules | [q_proj, v_proj]",
                "targets=q_proj,v_proj | target_modules | [q_proj, v_proj]",
                "lora_attn_modules=[q_proj] | target_modules | [q_proj]",
            })
    void aNameOfAnotherTrainerIsTakenForAMethodsOption(String override, String option, String value) {
        RunConfig config = overridden(override);

        assertThat(config.methodOptions().get(option)).hasToString(value);
        assertThat(notices).singleElement().asString().endsWith(" here");
    }

    @Test
    void theLongNameOfPeftIsTheShortOneWithoutANotice() {
        assertThat(overridden("lora.lora_alpha=8").methodOptions()).containsEntry("alpha", 8.0);
        assertThat(notices).hasSize(0);
    }

    @Test
    void alphaFollowsTheRank() {
        assertThat(overridden("lora.r=64").methodOptions()).containsEntry("alpha", 128.0);
        assertThat(overridden("lora.r=64", "lora.alpha=16").methodOptions()).containsEntry("alpha", 16.0);
    }

    @Test
    void optionsOfAMethodPassThroughAsYamlValues() {
        RunConfig config = read(MINIMAL
                + "method: oft\n"
                + "oft: {oft_block_size: 32, coft: true, eps: 6e-5, layers: [0, 1], map: {a: 1}, name: no}\n");

        assertThat(config.methodOptions())
                .containsOnly(
                        Map.entry("block_size", 32L),
                        Map.entry("coft", true),
                        Map.entry("eps", 6e-5),
                        Map.entry("layers", List.of(0L, 1L)),
                        Map.entry("map", Map.of("a", 1L)),
                        Map.entry("name", "no"));
    }

    @Test
    void anOptionOfAnotherMethodIsRefused() {
        assertThatThrownBy(() -> read(MINIMAL + "method: ia3\nlora:\n  dropout: 8\n"))
                .isInstanceOf(InputException.class)
                .hasMessage(recipe + ":5: lora.dropout: unknown option; it belongs to method lora, but method is ia3");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "learning_rat: 1 | learning_rate",
                "batchsize: 1 | batch_size",
                "data: {trian: x} | data.train",
                "text_field: x | data.text_field",
                "loraalpha: 1 | lora.alpha",
            })
    void anUnknownNameIsRefusedWithTheNearest(String yaml, String nearest) {
        assertThatThrownBy(() -> read("model: m\n\n" + yaml))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith(recipe + ":3: ")
                .hasMessageEndingWith(": unknown option; did you mean " + nearest + "?");
    }

    @Test
    void aNameThatResemblesNothingIsRefusedWithWhereToLook() {
        assertThatThrownBy(() -> overridden("xyzzy=1"))
                .hasMessage("xyzzy: unknown option; `graft config-schema` lists all, options of the method are written"
                        + " lora.…");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "learning_rate: fast | is \"fast\", expected a number above 0, for example 2e-4",
                "learning_rate: 0 | is 0, expected a number above 0, for example 2e-4",
                "learning_rate: '1e-4' | is \"1e-4\", expected a number above 0, for example 2e-4",
                "learning_rate: .nan | is .nan, expected a number above 0, for example 2e-4",
                "epochs: 2.5 | is 2.5, expected a whole number of at least 1, for example 2",
                "epochs: 99999999999 | is 99999999999, expected a whole number of at least 1, for example 2",
                "max_steps: -1 | is -1, expected a whole number of at least 1, for example 500",
                "group_by_length: no | is \"no\", expected true or false, for example false",
                "dtype: fp16 | is \"fp16\", expected one of auto, fp32, bf16, for example fp32",
                "warmup_ratio: 3 | is 3, expected a number of at least 0 and at most 1, for example 0.1",
                "betas: [0.9] | is a list with 1 item, expected a list, each a number of at least 0 and below 1, 2 of"
                        + " them, for example [0.9, 0.95]",
                "betas: [0.9, 1.5] | is a list with 2 items, expected a list, each a number of at least 0 and below 1,"
                        + " 2 of them, for example [0.9, 0.95]",
                "report_to: [wandb] | is a list with 1 item, expected a list, each one of csv, jsonl, tensorboard, "
                        + "for example [csv]",
                "max_time: soon | is \"soon\", expected a time above 0 in seconds or as 90s, 30m, 2h, for example 30m",
                "output_dir: [a] | is a list with 1 item, expected a text, for example runs/minilm",
                "seed: | is nothing, expected a whole number of at least 0, for example 7",
            })
    void aWrongValueIsRefusedWithLineAndWhatWasExpected(String yaml, String problem) {
        String name = yaml.substring(0, yaml.indexOf(':'));

        assertThatThrownBy(() -> read("model: m\n# a comment\n" + yaml + "\ndata: {train: d}\n"))
                .isInstanceOf(InputException.class)
                .hasMessage(recipe + ":3: " + name + " " + problem);
    }

    @Test
    void aWrongValueOnTheCommandLineIsRefusedWithTheWordThatWasTyped() {
        assertThatThrownBy(() -> read(MINIMAL, Map.of("batch-size", "many")))
                .hasMessage("--batch-size is \"many\", expected a whole number of at least 1, for example 16");
        assertThatThrownBy(() -> overridden("lora.r=0"))
                .hasMessage("lora.r is 0, expected a whole number of at least 1, for example 8");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "quantization_bit: 3",
                "base_quantization: bnb",
                "fp16: true",
                "global_batch_size: 64",
                "wandb_project: p",
                "lora_query: true",
                "datasets: [{path: x}]",
                "bf16: maybe",
                "mask_prompt: 1"
            })
    void whatOtherTrainersHaveAndGraftHasNotIsRefusedWithAdvice(String yaml) {
        assertThatThrownBy(() -> read(MINIMAL + yaml))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith(recipe + ":3: ")
                .hasMessageContaining(", which Graft does not have: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"load_in_4bit: false", "fp16: false", "quantization_bit:", "assistant_only_loss: false"})
    void whatOtherTrainersSwitchOffIsOffAnyway(String yaml) {
        assertThat(read(MINIMAL + yaml)).isEqualTo(read(MINIMAL));
    }

    @ParameterizedTest
    @CsvSource({
        "load_in_4bit: true, NF4",
        "load_in_8bit: true, INT8",
        "quantization_bit: 4, NF4",
        "quant_bits: 8, INT8",
        "quantize: bnb.fp4-dq, FP4",
        "quantization: keep, KEEP"
    })
    void otherTrainersNamesOfQuantisationAreUnderstood(String yaml, Quantization kind) {
        assertThat(read(MINIMAL + yaml).base().quantization()).isEqualTo(new QuantizationChoice(kind));
    }

    @Test
    void theSameOptionTwiceInOneLayerIsRefused() {
        assertThatThrownBy(() -> read(MINIMAL + "epochs: 1\nnum_epochs: 2\n"))
                .hasMessage(recipe + ":4: num_epochs: epochs is given twice, also as " + recipe + ":3: epochs");
        assertThatThrownBy(() -> overridden("seed=1", "seed=2")).hasMessage("seed: seed is given twice");
    }

    @Test
    void contradictionsAreRefused() {
        assertThatThrownBy(() -> overridden("warmup_ratio=0.1", "warmup_steps=3"))
                .hasMessageContaining("keep one");
        assertThatThrownBy(() -> overridden("lr_scheduler=constant", "warmup_steps=3"))
                .hasMessageContaining("constant_with_warmup");
        assertThatThrownBy(() -> overridden("optimizer=sgd", "betas=[0.9,0.99]"))
                .hasMessageContaining("adamw");
        assertThatThrownBy(() -> overridden("momentum=0.9")).hasMessageContaining("sgd");
        assertThat(overridden("optimizer=sgd", "momentum=0.9").optimisation().momentum())
                .isEqualTo(0.9);
    }

    @Test
    void whatIsRequiredIsAskedFor() {
        assertThatThrownBy(() -> read("data: {train: x}"))
                .isInstanceOf(InputException.class)
                .hasMessage("model is missing; give --model, for example --model file:models/minilm");
        assertThatThrownBy(() -> read("model: x"))
                .hasMessage("data.train is missing; give --data.train, for example --data.train data/train.jsonl");
    }

    @Test
    void aKeyWithoutValueIsUnsetWhereItMayBe() {
        assertThat(read(MINIMAL + "threads:\nlearning_rate: ~\n")).isEqualTo(read(MINIMAL));
        assertThatThrownBy(() -> read("model:\ndata: {train: d}"))
                .hasMessageStartingWith(recipe + ":1: model is nothing");
    }

    @Test
    void dataMayBeAFileOrAGroup() {
        assertThat(read("model: m\ndata: d.jsonl\n").data().train()).isEqualTo("d.jsonl");
        assertThat(read("model: m\ndata.train: d.jsonl\n").data().train()).isEqualTo("d.jsonl");
        RunConfig grouped = read("model: m\ndata:\n  train: a\n  valid_fraction: 0.1\n  text_field: body\n");
        assertThat(grouped.data().validFraction()).isEqualTo(0.1);
        assertThat(grouped.data().textField()).isEqualTo("body");
    }

    @Test
    void textsAreTakenAsTheyAreTyped() {
        assertThat(overridden("output_dir=[x]: #1").output().outputDir()).isEqualTo("[x]: #1");
        assertThat(read(MINIMAL + "output_dir: 010").output().outputDir()).isEqualTo("010");
        assertThat(overridden("lora.target_modules=.*\\.(q|v)_proj{1,2}").methodOptions())
                .containsEntry("target_modules", ".*\\.(q|v)_proj{1,2}");
    }

    @Test
    void structuredValuesFitOnTheCommandLine() {
        assertThat(overridden("report_to=csv,jsonl").output().reportTo()).containsExactly(Log.CSV, Log.JSONL);
        assertThat(overridden("report_to=[]").output().reportTo()).hasSize(0);
        assertThat(overridden("betas=[0.8, 0.9]").optimisation().betas()).containsExactly(0.8, 0.9);
        assertThat(overridden("lr_scheduler_kwargs={num_cycles: 2}")
                        .optimisation()
                        .lrSchedulerKwargs())
                .isEqualTo(Map.of("num_cycles", 2L));
        assertThat(overridden("parameter_groups={lora_B: {learning_rate: 1e-3}}")
                        .optimisation()
                        .parameterGroups())
                .isEqualTo(Map.of("lora_B", Map.of("learning_rate", 1e-3)));
        for (String size : List.of("1536m", "1.5g", "1.5GB", "1.5 gib", "1610612736")) {
            assertThat(overridden("memory_limit=" + size).economy().memoryLimit())
                    .hasToString("1536m");
        }
        for (String size : List.of("0", "2", "700k")) {
            assertThatThrownBy(() -> overridden("memory_limit=" + size))
                    .as(size)
                    .hasMessageContaining("expected a size of memory as 700m or 2g");
        }
        assertThat(overridden("max_time=1.5h").schedule().maxTime()).isEqualTo(Duration.ofMinutes(90));
        assertThatThrownBy(() -> overridden("report_to=[csv")).hasMessageStartingWith("report_to:1: not YAML");
    }

    @Test
    void aRecipeThatIsNoMappingIsRefused() {
        assertThatThrownBy(() -> read("- a\n- b\n")).hasMessageContaining("holds a list with 2 items, expected keys");
        assertThatThrownBy(() -> read("")).hasMessageStartingWith("model is missing");
    }

    @Test
    void aRecipeThatIsNoTextIsRefused() throws IOException {
        Files.write(recipe, new byte[] {(byte) 0xff, (byte) 0xfe, 0});
        assertThatThrownBy(() -> ConfigReader.read(recipe, List.of(), Map.of(), notices::add))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("not UTF-8");
    }
}
