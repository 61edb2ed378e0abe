package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class SuiteCommandTest {
    @TempDir
    private Path folder;

    @Test
    void aTaskIsTrainedAndTheSuiteSaysWhatIsScoredAndWhatIsMissing() {
        Cli train = Cli.run(
                "train",
                "model=file:" + Cli.base("bert-base"),
                "data.suite=glue/rte",
                "data.train=twin",
                "data.max_train_rows=16",
                "data.max_eval_rows=8",
                "max_steps=2",
                "output_dir=" + folder.resolve("glue-rte"));
        assertThat(train.code()).as(train.err()).isZero();
        assertThat(train.err()).contains("glue/rte of").contains("a twin, generated rows");

        Object[] eval = {
            "eval",
            "--model",
            "file:" + Cli.base("bert-base"),
            "--suite",
            "glue",
            "--data",
            "twin",
            "--tasks",
            "rte,cola",
            "--adapter",
            folder + "/glue-{task}/adapter",
            "--max-seq-length",
            "40",
            "--json"
        };
        Cli run = Cli.run(eval);

        assertThat(run.code()).as(run.err()).isZero();
        JsonNode json = run.json();
        assertThat(json.get("data_is").stringValue()).isEqualTo("twin");
        assertThat(json.at("/tasks/rte/rows").intValue()).isEqualTo(200);
        assertThat(json.at("/tasks/rte/parts/0/accuracy").doubleValue()).isBetween(0.0, 1.0);
        assertThat(json.at("/tasks/cola/missing").stringValue()).contains("glue-cola");
        assertThat(json.get("whole").booleanValue()).isFalse();
    }

    @Test
    void suitesTasksAndFoldersThatAreNotThereAreRefused() {
        String model = "file:" + Cli.base("bert-base");
        assertThat(Cli.run("eval", "--model", model, "--suite", "clue", "--data", "twin")
                        .err())
                .contains("there is no suite clue, but glue, superglue");
        assertThat(Cli.run("eval", "--model", model, "--suite", "glue", "--data", "twin", "--tasks", "x")
                        .err())
                .contains("there is no task x in glue");
        assertThat(Cli.run("eval", "--model", model, "--suite", "glue", "--data", folder.resolve("no"))
                        .err())
                .contains("is no folder");
        assertThat(Cli.run("eval", "--model", model, "--data", "x", "--tasks", "rte")
                        .err())
                .contains("belongs to --suite");
        assertThat(Cli.run("train", "model=" + model, "data.suite=glue", "data.train=twin")
                        .err())
                .contains("named such as glue/rte");
    }

    @Test
    void meteorOfTextsTakesSynonymsFromWordNet() {
        Object wordNet = "../parity/fixtures/meteor/wordnet";
        Object[] eval = {
            "eval",
            "--model",
            "file:" + Cli.base("gpt2"),
            "--suite",
            "e2e",
            "--data",
            "twin",
            "--max-rows",
            "2",
            "--max-new-tokens",
            "2",
            "--json",
            "--wordnet",
            wordNet
        };
        Cli run = Cli.run(eval);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().at("/tasks/e2e/parts/0").propertyNames())
                .contains("meteor")
                .doesNotContain("meteor_exact_stem");

        eval[eval.length - 1] = folder;
        assertThat(Cli.run(eval).err()).contains("has no data.noun, so it is not WordNet");
        eval[eval.length - 1] = folder.resolve("no");
        assertThat(Cli.run(eval).err()).contains("is neither a file or folder here nor a known name");
        assertThat(Cli.run("eval", "--model", "x", "--suite", "squad", "--data", "twin", "--wordnet", wordNet)
                        .err())
                .contains("no task of squad is scored by METEOR");
        assertThat(Cli.run("eval", "--model", "x", "--data", "x", "--wordnet", "wordnet")
                        .err())
                .contains("--wordnet belongs to --suite");
    }
}
