package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class MergeAdaptersCommandTest {
    @TempDir
    private Path folder;

    private Cli run(Object... more) {
        Object[] all = new Object[more.length + 7];
        all[0] = "merge-adapters";
        all[1] = Cli.adapter("llama-gqa/lora");
        all[2] = Cli.adapter("llama-gqa/lora-rslora");
        all[3] = "-m";
        all[4] = Cli.base("llama-gqa");
        all[5] = "-o";
        all[6] = folder.resolve("out");
        System.arraycopy(more, 0, all, 7, more.length);
        return Cli.run(all);
    }

    @Test
    void writesALoraAndSaysHowFarItIs() {
        Cli run = run("--weights", "0.5,0.5", "--combination", "ties_svd", "--density", "0.2", "--json");
        assertThat(run.code()).isZero();
        JsonNode json = run.json();
        assertThat(json.get("combination").asString()).isEqualTo("ties_svd");
        assertThat(json.get("relative_error").doubleValue()).isBetween(0.01, 0.99);
        assertThat(json.get("modules").size()).isEqualTo(4);
        assertThat(json.get("cosines").get(0).get(0).doubleValue()).isEqualTo(1);
        JsonNode config = Json.read(folder.resolve("out/adapter_config.json"));
        assertThat(config.get("peft_type").asString()).isEqualTo("LORA");
        assertThat(config.get("r").intValue()).isEqualTo(json.get("rank").intValue());
        assertThat(config.get("use_rslora").booleanValue()).isFalse();
        assertThat(Json.read(folder.resolve("out/combination.json"))
                        .get("density")
                        .doubleValue())
                .isEqualTo(0.2);
    }

    @Test
    void saysWhereAPrunedUpdateIsLarge() {
        Cli run = run("--combination", "magnitude_prune", "--density", "0.5");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("times the parameters").contains("magnitude_prune_svd");
    }

    @Test
    void refusesOptionsThatChangeNothingAndWrongNumbersOfWeights() {
        Cli density = run("--combination", "linear", "--density", "0.5");
        assertThat(density.code()).isEqualTo(2);
        assertThat(density.err()).contains("--density doesn't belong to --combination linear");
        assertThat(run("--weights", "1").err()).contains("2 adapters and 1 weights");
        assertThat(run("--combination", "magic").err()).contains("there are linear, cat, svd");
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @Test
    void makesARouterThatActsAsAnyAdapter() {
        Cli run = run("--combination", "arrow", "--top-k", "1", "--general", Cli.adapter("llama-gqa/lora"), "--json");
        assertThat(run.code()).isZero();
        assertThat(run.json().get("modules").intValue()).isEqualTo(4);
        JsonNode arrow = Json.read(folder.resolve("out/adapter_config.json")).get("arrow_config");
        assertThat(arrow.get("top_k").intValue()).isEqualTo(1);
        assertThat(arrow.get("use_gks").booleanValue()).isTrue();
        assertThat(folder.resolve("out/gks_0/adapter_model.safetensors")).exists();
        Cli inspected = Cli.run("inspect", Cli.base("llama-gqa"), "--adapter", folder.resolve("out"));
        assertThat(inspected.code()).isZero();
        assertThat(inspected.out()).contains("arrow");

        assertThat(run("--combination", "arrow", "--weights", "1,1").err())
                .contains("--weights doesn't belong to --combination arrow");
        assertThat(run("--combination", "linear", "--top-k", "1").err())
                .contains("--top-k doesn't belong to --combination linear");
    }

    @Test
    void findsWeightsByFewRows() throws Exception {
        Path few = folder.resolve("few.jsonl");
        Files.writeString(few, """
                {"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}
                {"input_ids": [8, 9, 10], "labels": [-100, 9, 10]}
                """);
        Cli hub = run("--choose", "lorahub", "--data", few, "--steps", "60", "--json");
        assertThat(hub.code()).isZero();
        double alone = hub.json().get("few_shot_loss_of_base").doubleValue();
        assertThat(hub.json().get("few_shot_loss").doubleValue()).isLessThan(alone);
        assertThat(hub.json().get("weights").size()).isEqualTo(2);

        Cli soup = run(
                "--choose",
                "soup",
                "--data",
                few,
                "--adapter-data",
                few + "," + few,
                "--soup-size",
                "1",
                "--json",
                "--overwrite");
        assertThat(soup.code()).isZero();
        assertThat(soup.json().get("likeness").get(0).doubleValue()).isGreaterThan(0.999);
        assertThat(soup.json().get("weights").get(0).doubleValue()).isEqualTo(1);

        assertThat(run("--choose", "lorahub").err()).contains("--choose lorahub needs --data");
        assertThat(run("--data", few).err()).contains("--data belongs to --choose");
        assertThat(run("--choose", "lorahub", "--data", few, "--weights", "1,1").err())
                .contains("leave one of them out");
        assertThat(run("--choose", "lorahub", "--data", few, "--combination", "ties")
                        .err())
                .contains("not of ties");
    }

    @Test
    void takesTheBaseFromTheAdapters() {
        assertThat(Cli.run(
                                "merge-adapters",
                                Cli.adapter("llama-gqa/lora"),
                                Cli.adapter("bert-seqcls/lora"),
                                "-o",
                                folder.resolve("out"))
                        .err())
                .contains("give it by --model");
        assertThat(run().code()).isZero();
        Path both = folder.resolve("out");
        assertThat(Cli.run("merge-adapters", both, both, "-o", folder.resolve("again"))
                        .code())
                .isZero();
    }
}
