package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.train.checkpoints.RunLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs of {@code graft train} that are refused. */
class TrainRefusalsTest extends TrainingOfTinyBert {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lr=NaN | learning_rate",
                "epohcs=2 | did you mean epochs?",
                "lora.rnak=2 | rnak",
                "metric=accuracy | there are no validation rows",
                "early_stopping_patience=2 | there are no validation rows",
                "data.valid_fraction=0.3 metric=acuracy | no metric \"acuracy\" here, expected one of accuracy",
                "loss_on=all | a classifier has one answer a row",
                "task=causal | fine-tuning a causal model needs rows such as",
                "max_seq_length=9999 | takes at most",
                "data.format=csv | is JSONL",
                "data.text_field=review | columns maps text to review",
                "max_time=30s | leaves the number of steps open",
                "hidden_dropout=1.5 | hidden_dropout",
                "resume=nowhere | resume is nowhere: no such folder",
                "overwrite_output_dir=true resume=x | keep one of them"
            })
    void whatCannotBeHonouredIsRefused(String words, String message) {
        Cli run = train((Object[]) words.split(" ", -1));

        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains(message);
        assertThat(out).doesNotExist();
    }

    /** There is neither such a base nor such a file, so whoever looked for them first would say that. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lora.rnak=2 | unknown field",
                "lora.init_lora_weights=nonsense | expected one of true, false, gaussian",
                "lora.layers=some | expected a range such as 2-5",
                "method=ia3 ia3.r=4 | unknown field",
                "optimizer_kwargs={reg: 1} | It is no option of optimizer adamw",
                "optimizer=lbfgs max_grad_norm=1 | max_grad_norm is 1.0; set it to 0",
                "lr_scheduler_kwargs={power: 2} | lr_scheduler linear has no option power",
                "lr_scheduler=polynomial lr_scheduler_kwargs={lr_end: 7} | must be below learning_rate",
                "learning_rate=1000 | at most 100.0",
                "max_loss_spike=0.5 | max_loss_spike is 0.5",
                "parameter_groups={(: {learning_rate: 1}} | is not a regular expression",
                "max_time=30s | leaves the number of steps open",
                "task=tag packing=true | only rows of causal models can be packed",
                "cache_frozen_layers=true packing=true | leave one of them out",
                "auto_freeze_steps=3 | auto_freeze is not set",
                "task=causal stride=3 | only texts that questions are on",
                "task=causal mask_share=0.3 | nothing is masked",
                "task=classify loss_on=all | a classifier has one answer a row",
                "task=orpo preference.loss=ipo | preference.loss has no meaning for task orpo; set task=dpo",
                "task=kto batch_size=1 | KTO compares",
                "distillation.temperature=3 | there is no teacher",
                "data.task_field=topic | lora knows one task",
                "data.columns={txt: a} | data.columns maps txt"
            })
    void whatNoBaseAndNoRowsCouldMakeRightIsRefusedBeforeAnyAreReadOrFetched(String words, String message) {
        Path nowhere = folder.resolve("nowhere.jsonl");

        assertThat(refusedWithoutABase(nowhere, words).err()).contains(message);
        assertThat(refusedWithoutABase(nowhere, words + " dry_run=true").err()).contains(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "eval_steps=5 | there are no validation rows",
                "metric=acuracy data.valid_fraction=0.3 | no metric \"acuracy\" here",
                "lr_scheduler=reduce_lr_on_plateau | give validation rows",
                "packing=true | only rows of causal models can be packed",
                "preference.beta=0.1 | no meaning where the rows are classification; set task=dpo (rows with chosen, rejected) or",
                "task=causal | fine-tuning a causal model needs rows such as",
                "task=mask overflow=drop | long texts are read in windows"
            })
    void whatTheRowsForbidIsRefusedBeforeABaseIsFetched(String words, String message) {
        assertThat(refusedWithoutABase(data, words).err()).contains(message);
    }

    private Cli refusedWithoutABase(Path rows, String words) {
        List<Object> all = new ArrayList<>(
                List.of("train", "--model", "file:" + folder.resolve("nowhere"), "--data", rows, "--output-dir", out));
        all.addAll(List.of((Object[]) words.split(" (?=[a-z0-9_.]+=)")));
        Cli run = Cli.run(all.toArray());
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(out).doesNotExist();
        return run;
    }

    @Test
    void aFolderThatCanNotBeMadeIsToldBeforeTheBaseIsFetched() {
        Cli run = Cli.run(
                "train", "--model", "file:" + folder.resolve("nowhere"), "--data", data, "output_dir=" + data + "/out");

        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .contains("cannot make the folder " + data + "/out")
                .contains("Not a directory");
        Path deep = folder.resolve("a/b/c");
        assertThat(Cli.run(
                                "train",
                                "--model",
                                "file:" + folder.resolve("nowhere"),
                                "--data",
                                data,
                                "output_dir=" + deep)
                        .err())
                .contains("nowhere");
        assertThat(folder.resolve("a")).doesNotExist();
    }

    @Test
    void dropoutThatAnArchitectureLacksIsRefused() throws IOException {
        Path model = TinyLlama.write(folder.resolve("llama"));
        Path prompts =
                Files.writeString(folder.resolve("p.jsonl"), "{\"prompt\": \"abc\", \"completion\": \" xyz\"}\n");

        Cli run = Cli.run("train", "--model", model, "--data", prompts, "--output-dir", out, "hidden_dropout=0.1");

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("hidden_dropout is 0.1, but llama has no such dropout");
    }

    @Test
    void anUnknownMethodIsRefusedWithTheNearest() {
        Cli run = Cli.run("train", "--model", TINY_BERT, "--data", data, "--method", "lorra", "--output-dir", out);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("did you mean lora?");
    }

    @Test
    void aRowWithoutALabelIsNamed() throws IOException {
        Files.writeString(data, classes(3) + "{\"text\": \"no label\"}\n");

        Cli run = train();

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("rows.jsonl:4").contains("label");
    }

    @Test
    void aLabelThatTheAdapterDoesNotKnowIsNamed() throws IOException {
        assertThat(train("epochs=1").code()).isZero();
        Path other = folder.resolve("other.jsonl");
        Files.writeString(other, "{\"text\": \"cat\", \"label\": \"cat\"}\n{\"text\": \"hen\", \"label\": \"hen\"}\n");

        Cli run = Cli.run("eval", "--model", TINY_BERT, "--adapter", out.resolve("adapter"), "--data", other);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("other.jsonl:2: the label hen is not one of the 3 labels");
    }

    @Test
    void aFolderWithOtherFilesIsRefusedAndReplacingLeavesThem() throws IOException {
        Files.createDirectories(out);
        Path mine = Files.writeString(out.resolve("notes.txt"), "mine");

        Cli refused = train("epochs=1");
        Cli replaced = train("epochs=1", "overwrite_output_dir=true");

        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("holds notes.txt, but no checkpoint");
        assertThat(replaced.code()).as(replaced.err()).isZero();
        assertThat(mine).hasContent("mine");
    }

    @Test
    void aFolderThatAnotherRunUsesIsRefused() {
        try (RunLock held = RunLock.acquire(out)) {
            Cli run = train("epochs=1");
            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err()).contains("is in use by another run");
        }
    }

    @Test
    void predictNeedsSomethingToPredictAndATrainedHead() {
        assertThat(Cli.run("predict", "--model", TINY_BERT).err()).contains("give --text, --image or --data");
        Cli headless = Cli.run("predict", "--model", TINY_BERT, "--task", "seq_cls", "--text", "cat");
        assertThat(headless.code()).isEqualTo(2);
        assertThat(headless.err()).contains("has no trained head for SEQ_CLS");
    }
}
