package dev.graft.cli.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.config.Recipes;
import dev.graft.run.config.RunConfig;
import dev.graft.train.data.LossOn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

class RunOptionsTest {
    @TempDir
    Path folder;

    private final List<String> notices = new ArrayList<>();
    private Path recipe;

    @BeforeEach
    void recipe() throws IOException {
        recipe = Files.createDirectories(folder.resolve("recipes")).resolve("chat.yaml");
        Files.writeString(recipe, "model: file:m\ndata:\n  train: d.jsonl\nseed: 1\nlora:\n  r: 4\n");
    }

    private static CommandLine command() {
        CommandSpec train = CommandSpec.create().name("train").mixinStandardHelpOptions(true);
        new CommandLine(CommandSpec.create().name("graft")).addSubcommand(train);
        RunOptions.addTo(train);
        return train.commandLine();
    }

    @Test
    void anOptionOfAnyMethodMayBeAFlagOrAnOverride() {
        for (Method.Type type : Methods.all()) {
            String option = type.name() + ".some_option";
            for (String[] form : new String[][] {
                {option + "=4"},
                {"--" + option, "4"},
                {"--" + option + "=4"},
                {"--" + type.name() + ".some-option", "4"}
            }) {
                List<String> words =
                        new ArrayList<>(List.of("--model", "file:m", "--data", "d.jsonl", "method=" + type.name()));
                words.addAll(List.of(form));
                assertThat(read(words.toArray(String[]::new)).methodOptions())
                        .as(String.join(" ", form))
                        .extractingByKey("some_option")
                        .hasToString("4");
            }
        }
    }

    private RunConfig read(String... words) {
        String[] line = Stream.concat(Stream.of("train"), Arrays.stream(words)).toArray(String[]::new);
        ParseResult parsed = command().getParent().parseArgs(line).subcommand();
        return RunOptions.read(parsed, new Recipes(List.of(folder)), notices::add);
    }

    @Test
    void theFormThatScriptsUseIsUnderstood() {
        RunConfig config = read(
                "--model",
                "file:DIR",
                "--data",
                "FILE.jsonl",
                "--method",
                "lora",
                "--epochs",
                "2",
                "--dtype",
                "fp32",
                "--output-dir",
                "OUT");

        assertThat(config.base().model()).isEqualTo("file:DIR");
        assertThat(config.data().train()).isEqualTo("FILE.jsonl");
        assertThat(config.schedule().epochs()).isEqualTo(2);
        assertThat(config.base().dtype()).isEqualTo(NumericsChoice.FP32);
        assertThat(config.output().outputDir()).isEqualTo("OUT");
    }

    @Test
    void recipeOverridesAndFlagsMayStandInAnyOrder() {
        RunConfig config =
                read("--seed", "3", recipe.toString(), "seed=2", "epochs=5", "--lora.target-modules=q_proj,v_proj");

        assertThat(config.base().seed()).isEqualTo(3);
        assertThat(config.schedule().epochs()).isEqualTo(5);
        assertThat(config.methodOptions())
                .containsEntry("r", 4)
                .containsEntry("target_modules", List.of("q_proj", "v_proj"));
        assertThat(notices).hasSize(0);
    }

    @Test
    void aRecipeMayBeGivenByName() {
        assertThat(read("chat").base().seed()).isEqualTo(1);
        assertThatThrownBy(() -> read("chta"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("did you mean chat?");
    }

    @Test
    void trueNeedsNotBeWritten() {
        assertThat(read("chat", "--dry-run").output().dryRun()).isTrue();
        assertThat(read("--dry-run", "chat").output().dryRun()).isTrue();
        assertThat(read("--dry-run=false", "chat").output().dryRun()).isFalse();
        assertThat(read("chat", "--group-by-length", "false").schedule().groupByLength())
                .isFalse();
        assertThat(read("chat", "--train-on-inputs").goal().lossOn()).isEqualTo(LossOn.ALL);
    }

    @Test
    void namesOfOtherTrainersAndOptionsOfMethodsAreFlagsToo() {
        RunConfig config =
                read("chat", "--num-train-epochs", "7", "--lora-rank", "64", "--lora.use-rslora", "true", "--alpha=8");

        assertThat(config.schedule().epochs()).isEqualTo(7);
        assertThat(config.methodOptions())
                .containsEntry("r", 64)
                .containsEntry("use_rslora", true)
                .containsEntry("alpha", 8.0);
        assertThat(notices)
                .containsExactly(
                        "--num-train-epochs is called epochs here",
                        "--lora-rank is called lora.r here",
                        "--alpha is called lora.alpha here");
    }

    @Test
    void optionsOfTheMethodsOfLoraBelongToLora() {
        assertThat(read("--lora.r", "8", "chat").methodOptions()).containsEntry("r", 8);
        assertThatThrownBy(() -> read("--lora.r", "8", "--method", "ia3", "--model", "m", "--data", "d"))
                .hasMessage("--lora.r: unknown option; it belongs to method lora, but method is ia3");
    }

    @Test
    void mistakesAreNamed() {
        assertThatThrownBy(() -> read("chat", "--learning-rat", "1"))
                .isInstanceOf(InputException.class)
                .hasMessage("--learning-rat: unknown option; did you mean learning_rate?");
        assertThatThrownBy(() -> read("chat", "--seed", "x"))
                .hasMessage("--seed is \"x\", expected a whole number of at least 0, for example 7");
        assertThatThrownBy(() -> read("chat", "--lr", "1", "--lr", "2")).hasMessage("--lr is given twice");
        assertThatThrownBy(() -> read("chat", "--lr", "1", "--learning-rate", "2"))
                .hasMessageContaining("learning_rate is given twice");
        assertThatThrownBy(() -> read("chat", "other")).hasMessageStartingWith("other stands after the recipe chat");
        assertThatThrownBy(() -> read("chat", "--max-steps", "-1"))
                .hasMessageStartingWith("--max-steps is -1, expected");
    }

    /** -Dgraft.docs=write writes the help anew. */
    @Test
    void theHelpIsGroupedByTopicAndEndsWithExamples() throws IOException {
        String help = command().setUsageHelpWidth(110).getUsageMessage(Ansi.OFF);
        Path golden = Path.of("src/test/resources/dev/graft/cli/config/train-help.txt");
        if ("write".equals(System.getProperty("graft.docs"))) {
            Files.writeString(golden, help);
        }

        assertThat(golden).hasContent(help);
    }
}
