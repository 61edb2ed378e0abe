package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Benchmarks of each kind of answer, trained and scored from their official files. */
class SuiteQuestionsTest {
    private static final String SQUAD =
            "{\"version\": \"1.1\", \"data\": [{\"title\": \"t\", \"paragraphs\": [{\"context\": \"Ada wrote it in"
                    + " London.\", \"qas\": [{\"id\": \"1\", \"question\": \"Who?\", \"answers\": [{\"text\": \"Ada\","
                    + " \"answer_start\": 0}]}, {\"id\": \"2\", \"question\": \"Where?\", \"answers\": [{\"text\":"
                    + " \"London\", \"answer_start\": 16}]}]}, {\"context\": \"Bob sleeps.\", \"qas\": [%s]}]}]}";

    @TempDir
    private Path folder;

    private void write(String name, String text) throws IOException {
        Files.createDirectories(folder.resolve(name).getParent());
        Files.writeString(folder.resolve(name), text);
    }

    private Cli train(Path base, String suite, String... more) {
        List<Object> arguments = new ArrayList<>(List.of(
                "train",
                "model=file:" + base,
                "data.suite=" + suite,
                "data.train=" + folder,
                "max_steps=2",
                "batch_size=4",
                "output_dir=" + folder.resolve("run")));
        arguments.addAll(List.of(more));
        Cli run = Cli.run(arguments.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("real rows");
        return run;
    }

    private JsonNode eval(Path base, String suite, Object... more) {
        List<Object> arguments = new ArrayList<>(
                List.of("eval", "--model", "file:" + base, "--suite", suite, "--data", folder, "--json"));
        arguments.addAll(List.of(more));
        Cli run = Cli.run(arguments.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("data_is").stringValue()).isEqualTo("real");
        return run.json();
    }

    private Path adapter() {
        return folder.resolve("run/adapter");
    }

    @Test
    void spans() throws IOException {
        StringBuilder questions = new StringBuilder();
        for (int i = 0; i < 30; i++) {
            questions
                    .append(i == 0 ? "" : ", ")
                    .append("{\"question\": \"" + (char) ('A' + i % 26) + (i < 26 ? "" : "x"))
                    .append("?\", \"answers\": [{\"text\": \"Bob\", \"answer_start\": 0}]}");
        }
        write("train-v1.1.json", SQUAD.formatted(questions));
        write("dev-v1.1.json", SQUAD.formatted(questions));
        train(Cli.base("bert-base"), "squad/v1.1", "task=answer");
        JsonNode json = eval(Cli.base("bert-base"), "squad", "--tasks", "v1.1", "--adapter", adapter());
        assertThat(json.at("/tasks/v1.1/rows").intValue()).isEqualTo(32);
        assertThat(json.at("/tasks/v1.1/parts/0/f1").doubleValue()).isBetween(0.0, 1.0);
        Cli unfit = Cli.run("eval", "--model", "file:" + Cli.base("bert-seqcls"), "--suite", "squad", "--data", folder);
        assertThat(unfit.code()).isEqualTo(2);
        assertThat(unfit.err()).contains("v1.1 needs a model with a head for [QUESTION_ANS]");
    }

    @Test
    void tags() throws IOException {
        String rows = "Ada NNP I-NP I-PER\nwrote VBZ I-VP O\n\nin IN O O\nLondon NNP I-NP I-LOC\n\n";
        write("eng.train", rows.repeat(3));
        write("eng.testa", rows);
        write("eng.testb", rows);
        train(Cli.base("bert-base"), "conll2003", "task=tag");
        JsonNode json = eval(Cli.base("bert-base"), "conll2003", "--adapter", adapter(), "--max-rows", "1");
        assertThat(json.at("/tasks/conll2003/rows").intValue()).isEqualTo(1);
        assertThat(json.at("/tasks/conll2003/of_rows").intValue()).isEqualTo(2);
        assertThat(json.get("whole").booleanValue()).isFalse();
        assertThat(json.at("/tasks/conll2003/parts/0/f1").doubleValue()).isBetween(0.0, 1.0);
    }

    @Test
    void written() throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 30; i++) {
            rows.append("{\"question\": \"What is %d and 1?\", \"answer\": \"#### %d\"}\n".formatted(i, i + 1));
        }
        write("train.jsonl", rows.toString());
        write("test.jsonl", rows.toString());
        Path base = TinyLlama.write(folder.resolve("base"));
        train(base, "gsm8k");
        JsonNode json = eval(
                base, "gsm8k", "--adapter", adapter(), "--max-new-tokens", "4", "--max-rows", "5", "--batch-size", "2");
        assertThat(json.at("/tasks/gsm8k/parts/0/exact_match").doubleValue()).isBetween(0.0, 1.0);
    }

    @Test
    void translationsOfAnEncoderDecoder() throws IOException {
        write("test.en", "Good morning.\nThanks.\n");
        write("test.de", "Guten Morgen.\nDanke.\n");
        JsonNode json = eval(Cli.base("t5"), "wmt", "--max-new-tokens", "4");
        assertThat(json.at("/tasks/en-de/parts/0/chrf").doubleValue()).isBetween(0.0, 1.0);
        assertThat(json.at("/tasks/de-en/mean").isNumber()).isTrue();
    }

    @Test
    void tokens() throws IOException {
        write("relations.jsonl", "{\"relation\": \"P19\", \"template\": \"[X] is in [Y] .\"}\n");
        write(
                "TREx/P19.jsonl",
                "{\"sub_label\": \"a\", \"obj_label\": \"a\"}\n"
                        + "{\"sub_label\": \"a\", \"obj_label\": \"one two three\"}\n");
        JsonNode json = eval(Cli.base("bert-mlm"), "lama", "--tasks", "trex");
        assertThat(json.at("/tasks/trex/parts/0/mrr").doubleValue()).isGreaterThan(0);
        assertThat(json.at("/tasks/trex/notes/0").stringValue()).contains("1 of 2 facts are left out");
        assertThat(json.at("/tasks/squad/missing").isMissingNode()).isTrue();
    }

    @Test
    void choices() throws IOException {
        write(
                "snarks.json",
                "{\"examples\": [{\"input\": \"Which?\\nOptions:\\n(A) one\\n(B) two\", \"target\": \"(B)\"}]}");
        JsonNode json = eval(TinyLlama.write(folder.resolve("base")), "bbh");
        assertThat(json.at("/tasks/snarks/parts/0/accuracy").doubleValue()).isIn(0.0, 1.0);
        assertThat(json.at("/tasks/navigate/missing").stringValue()).contains("navigate.json");
        assertThat(json.get("tasks_in_average").intValue()).isEqualTo(1);
    }

    @Test
    void pictures() throws IOException {
        byte[] rows = new byte[20 * 3073];
        for (int i = 0; i < 20; i++) {
            rows[i * 3073] = (byte) (i % 10);
            rows[i * 3073 + 1 + i] = 99;
        }
        for (int i = 1; i <= 5; i++) {
            Files.write(folder.resolve("data_batch_" + i + ".bin"), rows);
        }
        Files.write(folder.resolve("test_batch.bin"), rows);
        Path base = ImageCommandsTest.model("vit", folder.resolve("base"));
        train(base, "cifar/cifar10");
        JsonNode json = eval(base, "cifar", "--tasks", "cifar10", "--adapter", adapter());
        assertThat(json.at("/tasks/cifar10/rows").intValue()).isEqualTo(20);
        assertThat(json.at("/tasks/cifar10/parts/0/accuracy").doubleValue()).isBetween(0.0, 1.0);
    }

    @Test
    void conversationsOfTwoTurns() throws IOException {
        write(
                "question.jsonl",
                "{\"question_id\": 1, \"category\": \"math\", \"turns\": [\"2?\", \"3?\"], \"reference\": [\"2\","
                        + " \"3\"]}\n");
        Path base = TinyLlama.write(folder.resolve("base"));
        Path answers = folder.resolve("answers.jsonl");
        Object[] rated = {"--judge", "rule", "--answers", answers, "--max-new-tokens", "5"};
        JsonNode json = eval(base, "mt-bench", rated);
        assertThat(json.get("score").doubleValue()).isBetween(1.0, 10.0);
        assertThat(json.get("judge").stringValue()).startsWith("rule");
        assertThat(Files.readString(answers)).contains("\"question_id\"");
        assertThat(eval(base, "mt-bench", rated)).isEqualTo(json);
        JsonNode beside = eval(base, "mt-bench", "--judge", "rule", "--against", "base", "--max-new-tokens", "5");
        assertThat(beside.get("ties").intValue()).isEqualTo(2);
        assertThat(beside.get("win_rate_adjusted").doubleValue()).isEqualTo(0.5);
        assertThat(Cli.run("eval", "--model", "file:" + base, "--suite", "mt-bench", "--data", folder)
                        .err())
                .contains("needs --judge");
    }

    @Test
    void boxesOfAFile() throws IOException {
        write(
                "instances_val2017.json",
                "{\"images\": [{\"id\": 1}], \"categories\": [{\"id\": 1}], \"annotations\": [{\"image_id\": 1,"
                        + " \"category_id\": 1, \"bbox\": [0, 0, 9, 9], \"area\": 81, \"iscrowd\": 0}]}");
        write("found.json", "[{\"image_id\": 1, \"category_id\": 1, \"bbox\": [0, 0, 9, 9], \"score\": 1}]");
        Cli run = Cli.run("eval", "--suite", "coco", "--data", folder, "--predictions", folder.resolve("found.json"));
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("no detector runs here").contains("1.0000");
        assertThat(Cli.run("eval", "--suite", "coco", "--data", folder).err()).contains("needs --predictions");
        assertThat(Cli.run("eval", "--suite", "glue", "--data", "twin", "--judge", "rule")
                        .err())
                .contains("--judge belongs to --suite mt-bench");
        assertThat(Cli.run("eval", "--data", folder).err()).contains("--model is missing");
    }
}
