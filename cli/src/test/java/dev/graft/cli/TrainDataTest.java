package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows of all forms from the command line. */
class TrainDataTest {
    @TempDir
    private Path folder;

    private Path model;

    @BeforeEach
    void model() throws IOException {
        model = TinyLlama.write(folder.resolve("tiny"));
    }

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private Cli train(Object data, Object... more) {
        List<Object> words = new ArrayList<>(List.of(
                "train",
                "--model",
                model,
                "--data.train",
                data,
                "--dtype",
                "fp32",
                "--output-dir",
                folder.resolve("out")));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    @Test
    void sharegptInGzipIsTrainedAsTheChatThatItIs() throws IOException {
        Path data = folder.resolve("chats.jsonl.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(data))) {
            out.write("""
                    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]}
                    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
                    """.getBytes(StandardCharsets.UTF_8));
        }
        Cli dry = train(data, "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("JSONL (gzip), chat, fields conversations, 2 rows");
        assertThat(dry.out()).contains("<|im_start|>assistant\n⟦Ho<|im_end|>⟧");
        Cli run = train(data, "epochs=1");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(folder.resolve("out/adapter/adapter_model.safetensors")).exists();
    }

    @Test
    void columnsNameThePartsOfARow() throws IOException {
        Path data = file("qa.csv", "question,reply,id\n2 + 2 =,4,1\n3 + 3 =,6,2\n");
        Cli unknown = train(data, "--dry-run");
        assertThat(unknown.code()).isEqualTo(2);
        assertThat(unknown.err()).contains("the keys [question, reply, id] fit no known shape");
        Cli dry = train(data, "--dry-run", "--data.columns", "{prompt: question, completion: reply}");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("CSV, prompt and completion, fields question,reply, 2 rows (not used: id)");
        assertThat(dry.out()).contains("2 + 2 =⟦4");
        assertThat(train(data, "--data.columns", "{prompt: question, answer: reply}")
                        .err())
                .contains("data.columns maps answer, expected one of [");
        assertThat(train(data, "--data.columns", "{prompt: question, completion: reply, tags: id}")
                        .err())
                .contains("the rows are prompt and completion, which have no tags");
    }

    @Test
    void textsAreSplitAndInstructionsGoThroughTheTemplate() throws IOException {
        Path texts = file("texts.jsonl", "{\"text\": \"" + "abcdefgh ".repeat(20) + "\"}\n{\"text\": \"b c\"}\n");
        Cli dry = train(texts, "--dry-run", "max_seq_length=20");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("texts without labels").contains("1 row longer than 20 tokens became several");
        Path alpaca = file("alpaca.json", "[{\"instruction\": \"Add\", \"input\": \"1 2\", \"output\": \"3\"}]");
        assertThat(train(alpaca, "--dry-run").out())
                .contains("<|im_start|>user\nAdd\n\n1 2<|im_end|>\n<|im_start|>assistant\n⟦3<|im_end|>⟧");
    }

    private Path pairs() throws IOException {
        return file("pairs.jsonl", """
                {"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}], "rejected": [{"role": "assistant", "content": "cc"}]}
                {"prompt": [{"role": "user", "content": "d"}], "chosen": [{"role": "assistant", "content": "e"}], "rejected": [{"role": "assistant", "content": "f"}]}
                {"prompt": [{"role": "user", "content": "g"}], "chosen": [{"role": "assistant", "content": "h i"}], "rejected": [{"role": "assistant", "content": "j"}]}
                """);
    }

    @Test
    void pairsAreLearnedByDpoWithFiguresInTheLogs() throws IOException {
        Cli dry = train(pairs(), "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.out())
                .contains("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>⟧")
                .contains("--- rejected,")
                .contains("⟦cc<|im_end|>⟧");
        Cli run = train(
                pairs(),
                "--data.valid",
                pairs(),
                "epochs=6",
                "batch_size=2",
                "lr=1e-2",
                "logging_steps=1",
                "--preference.beta",
                "0.5");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("validation before: loss 0.6931").contains("reward_accuracy 1");
        assertThat(Files.readString(folder.resolve("out/logs/steps.csv")))
                .startsWith("step,epoch,loss,grad_norm,learning_rate,tokens,tokens_per_s,memory_bytes,elapsed_s,"
                        + "reward_accuracy,reward_chosen,reward_margin,reward_rejected\n1,");
    }

    @Test
    void otherGoalsAreReachedByTheirTask() throws IOException {
        for (String task : List.of("orpo", "simpo", "cpo", "reward")) {
            Cli dry = train(pairs(), "--task", task, "--dry-run");
            assertThat(dry.code()).as(task + dry.err()).isZero();
            Cli run = train(pairs(), "--task", task, "epochs=1", "--overwrite-output-dir");
            assertThat(run.code()).as(task + run.err()).isZero();
        }
        Path judged = file("judged.csv", "prompt,completion,label\na,b,true\na,c,false\nd,e,true\nd,f f,false\n");
        assertThat(train(judged, "--dry-run").code()).isZero();
        Cli kto = train(judged, "epochs=1", "--overwrite-output-dir", "logging_steps=1");
        assertThat(kto.code()).as(kto.err()).isZero();
        assertThat(Files.readString(folder.resolve("out/logs/events.jsonl"))).contains("\"reward_rejected\":");
    }

    @Test
    void whatPreferencesCannotHonourIsRefused() throws IOException {
        refused(
                "preference.loss has no meaning for task orpo; set task=dpo (rows with chosen, rejected)",
                "--task",
                "orpo",
                "--preference.loss",
                "ipo");
        refused("preference.beta has no meaning for task reward", "--task", "reward", "--preference.beta", "1");
        refused("preference.centering has no meaning for task dpo; set task=reward", "--preference.centering", "1");
        refused("label_smoothing has no meaning for task orpo", "--task", "orpo", "label_smoothing=0.1");
        refused("only the sigmoid loss has it", "--preference.loss", "ipo", "label_smoothing=0.1");
        refused("but preferences are about the last answer", "loss_on=all");
        refused("the key \"completion\" is missing", "--task", "kto");
        Path chat = file("chat.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
        assertThat(train(chat, "--preference.beta", "0.2").err())
                .contains(
                        "preference.beta has no meaning where the rows are prompt and completion; set task=dpo (rows with"
                                + " chosen, rejected) or task=orpo (rows with chosen, rejected) or task=simpo (rows with chosen,"
                                + " rejected) or task=cpo (rows with chosen, rejected) or task=kto (rows with prompt, completion, label), or leave it out");
        assertThat(train(chat, "--task", "dpo").err()).contains("the key \"chosen\" is missing");
        Path judged = file("judged.csv", "prompt,completion,label\na,b,true\na,c,false\n");
        assertThat(train(judged, "batch_size=1").err()).contains("batch_size is 1, but KTO compares");
        assertThat(train(judged, "--task", "causal").err())
                .contains("task is causal, but the rows are judged answers", "set task to kto");
        refused("set task to dpo, orpo, simpo, cpo or reward", "--task", "causal");
    }

    @Test
    void judgedConversationsAreLearnedByKtoWithOnesAndZeros() throws IOException {
        String row =
                "{\"messages\": [{\"role\": \"user\", \"content\": \"%s\"}, {\"role\": \"assistant\", \"content\": \"%s\"}],"
                        + " \"label\": %d}\n";
        Path judged = file("judged.jsonl", row.formatted("a", "b", 1) + row.formatted("a", "c", 0));
        Cli dry = train(judged, "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("JSONL, judged answers, fields messages,label, 2 rows");
        Cli run = train(judged, "--task", "kto", "epochs=1", "logging_steps=1");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Files.readString(folder.resolve("out/logs/events.jsonl"))).contains("\"reward_rejected\":");
    }

    @Test
    void vectorsOfZerosAndOnesAreNoListsOfClasses() throws IOException {
        Path vectors =
                file("vectors.jsonl", "{\"text\": \"a\", \"label\": [0, 1]}\n{\"text\": \"b\", \"label\": [1, 0]}\n");
        Cli refused = train(vectors);
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err())
                .contains("vectors.jsonl:1: every row has all the labels [0, 1]")
                .contains("it is no vector of zeros and ones: give the class's number or name");
        Path same =
                file("same.jsonl", "{\"text\": \"a\", \"label\": [\"x\"]}\n{\"text\": \"b\", \"label\": [\"x\"]}\n");
        assertThat(train(same).err()).contains("every row has all the labels [x], so there is nothing to tell apart");
        Path names = file("names.jsonl", "{\"text\": \"a\", \"label\": [0, 1]}\n{\"text\": \"b\", \"label\": [1]}\n");
        Cli dry = train(names, "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
    }

    private void refused(String message, Object... more) throws IOException {
        Cli run = train(pairs(), more);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(message);
    }

    @Test
    void repeatedRowsAreLeftOutWhereAsked() throws IOException {
        Path data = file(
                "rows.jsonl",
                "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"c\", \"completion\": \"d\"}\n");
        assertThat(train(data, "--dry-run").err()).contains("1 of 3 rows repeat the input of another row");
        assertThat(train(data, "--dry-run", "--dedupe", "true").err())
                .contains("1 training rows that repeat another one");
        assertThat(train(folder.resolve("no-*.jsonl")).err()).contains("no file matches");
    }
}
