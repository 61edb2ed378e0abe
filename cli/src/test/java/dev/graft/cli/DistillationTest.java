package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Learning from a teacher from the command line. */
class DistillationTest {
    private static final String BERT = "file:" + Cli.base("bert-base");

    @TempDir
    private Path folder;

    private Path llama;
    private Path chat;
    private Path classes;

    @BeforeEach
    void files() throws IOException {
        llama = TinyLlama.write(folder.resolve("tiny"));
        chat = Files.writeString(
                folder.resolve("chat.jsonl"),
                "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"c\", \"completion\": \"d d\"}\n");
        classes = Files.writeString(
                folder.resolve("classes.jsonl"),
                "{\"text\": \"a b\", \"label\": \"no\"}\n{\"text\": \"c\", \"label\": \"yes\"}\n");
    }

    private Cli train(Object model, Path data, String output, Object... more) {
        List<Object> words = new ArrayList<>(List.of(
                "train",
                "--model",
                model,
                "--data.train",
                data,
                "--dtype",
                "fp32",
                "--output-dir",
                folder.resolve(output),
                "logging_steps=1",
                "batch_size=2",
                "lr=1e-2"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private Path adapter(String output) {
        return folder.resolve(output).resolve("adapter");
    }

    /** The last value of a column of a run's steps. */
    private double last(String output, String column) throws IOException {
        List<String> lines = Files.readAllLines(folder.resolve(output).resolve("logs/steps.csv"));
        int index = Arrays.asList(lines.get(0).split(",")).indexOf(column);
        return Double.parseDouble(lines.get(lines.size() - 1).split(",")[index]);
    }

    private void refused(String message, Object model, Path data, Object... more) {
        Cli run = train(model, data, "refused", more);
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains(message);
    }

    @Test
    void theSameBaseWithAnotherAdapterTeaches() throws IOException {
        assertThat(train(llama, chat, "teacher", "epochs=8").code()).isZero();
        Cli first = train(
                llama,
                chat,
                "short",
                "epochs=1",
                "distillation.adapter=" + adapter("teacher"),
                "distillation.weight=1");
        assertThat(first.code()).as(first.err()).isZero();
        assertThat(first.err()).contains("Teacher: the same base with ");
        Cli run = train(
                llama,
                chat,
                "student",
                "epochs=30",
                "--distillation.adapter",
                adapter("teacher"),
                "--distillation.weight",
                "1",
                "--distillation.temperature",
                "1");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(last("student", "distillation"))
                .isEqualTo(last("student", "loss"))
                .isLessThan(last("short", "distillation") / 4);
    }

    @Test
    void aRunGoesOnWithTheSameTeacherOnly() throws IOException {
        assertThat(train(llama, chat, "teacher", "epochs=1").code()).isZero();
        String teacher = "distillation.adapter=" + adapter("teacher");
        assertThat(train(llama, chat, "run", "epochs=2", teacher).code()).isZero();
        assertThat(train(llama, chat, "run", "epochs=2", teacher).code()).isZero();
        Cli other = train(llama, chat, "run", "epochs=2", "distillation.adapter=" + adapter("run"));
        assertThat(other.code()).isEqualTo(2);
        assertThat(other.err()).contains("goal");
        Path settings = adapter("teacher").resolve("adapter_config.json");
        String written = Files.readString(settings);
        String stronger = written.replaceFirst("\"lora_alpha\" *: *[0-9.]+", "\"lora_alpha\": 3");
        assertThat(stronger).isNotEqualTo(written);
        Files.writeString(settings, stronger);
        Cli changed = train(llama, chat, "run", "epochs=2", teacher);
        assertThat(changed.code()).isEqualTo(2);
        assertThat(changed.err()).contains("goal");
    }

    @Test
    void anotherClassifierTeachesItsClasses() throws IOException {
        assertThat(train(BERT, classes, "teacher", "epochs=2").code()).isZero();
        refused(
                "fingerprint",
                BERT,
                classes,
                "distillation.teacher=file:" + Cli.base("bert-mlm"),
                "distillation.adapter=" + adapter("teacher"));
        Cli same = train(BERT, classes, "student", "epochs=2", "distillation.adapter=" + adapter("teacher"));
        assertThat(same.code()).as(same.err()).isZero();
        assertThat(last("student", "distillation")).isPositive();
    }

    @Test
    void anotherBaseTeachesWithAnAdapterOfItsOwn() throws IOException {
        String other = "file:" + Cli.base("bert-seqcls");
        assertThat(train(other, classes, "teacher", "epochs=2").code()).isZero();
        String[] teacher = {"distillation.teacher=" + other, "distillation.adapter=" + adapter("teacher")};
        Cli run = train(BERT, classes, "student", "epochs=2", teacher[0], teacher[1]);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("Teacher: " + other + " with " + adapter("teacher"));
        assertThat(last("student", "distillation")).isPositive().isFinite();
        assertThat(last("student", "loss")).isPositive().isFinite();
        refused("To load the base and the teacher ", BERT, classes, teacher[0], teacher[1], "memory_limit=1m");
    }

    @Test
    void aTeacherHasRoomForItsPrompt() throws IOException {
        Object[] prompt = {"--method", "prompt-tuning", "prompt-tuning.num_virtual_tokens=4", "epochs=1"};
        assertThat(train(llama, chat, "teacher", prompt).code()).isZero();
        String teacher = "distillation.adapter=" + adapter("teacher");
        int fits = TinyLlama.POSITIONS - 4;
        refused(
                "takes at most " + fits + " tokens beside its prompt, but rows may have " + (fits + 1),
                llama,
                chat,
                teacher,
                "max_seq_length=" + (fits + 1));
        refused("packing is true, but the teacher's adapter", llama, chat, teacher, "packing=true");
        Cli run = train(llama, chat, "student", "epochs=1", teacher, "max_seq_length=" + fits);
        assertThat(run.code()).as(run.err()).isZero();
    }

    @Test
    void rowsOfIdsNeedNoTokenizer() throws IOException {
        Path ids = Files.writeString(
                folder.resolve("ids.jsonl"),
                "{\"input_ids\": [4, 5, 6], \"labels\": [-100, 5, 6]}\n{\"input_ids\": [7, 8], \"labels\": [7, 8]}\n");
        Path other = TinyLlama.write(folder.resolve("other"));
        Files.copy(
                Cli.FIXTURES.resolve("tokens/bytebpe/tokenizer.json"),
                other.resolve("tokenizer.json"),
                StandardCopyOption.REPLACE_EXISTING);
        Cli run = train(llama, ids, "student", "epochs=1", "distillation.teacher=" + other);
        assertThat(run.code()).as(run.err()).isZero();
        refused(
                "tokens, but the rows may have the ids of",
                llama,
                ids,
                "max_seq_length=8",
                "distillation.teacher=" + Cli.base("llama-mha"));
    }

    @Test
    void picturesAreMadeAlikeForBoth() throws IOException {
        Path pictures = folder.resolve("pictures");
        for (String shade : List.of("red", "blue")) {
            BufferedImage image = new BufferedImage(20, 12, BufferedImage.TYPE_INT_RGB);
            image.setRGB(3, 4, shade.equals("red") ? 0xFF0000 : 0xFF);
            for (int i = 0; i < 2; i++) {
                Path file = pictures.resolve("train/" + shade + "/" + i + ".png");
                Files.createDirectories(file.getParent());
                ImageIO.write(image, "png", file.toFile());
            }
        }
        Path vit = ImageCommandsTest.model("vit", folder.resolve("vit"));
        Path resnet = ImageCommandsTest.model("resnet", folder.resolve("resnet"));
        assertThat(train(vit, pictures, "teacher", "epochs=1").code()).isZero();
        String[] teacher = {"distillation.teacher=" + vit, "distillation.adapter=" + adapter("teacher")};
        String same = Files.readString(vit.resolve("preprocessor_config.json"));
        Files.writeString(
                resnet.resolve("preprocessor_config.json"), same.replaceFirst("\\[0.5, 0.5, 0.5]", "[0.5, 0.5, 0.4]"));
        refused("has another preprocessor_config.json", resnet, pictures, teacher[0], teacher[1]);
        Files.writeString(resnet.resolve("preprocessor_config.json"), same);
        Cli run = train(resnet, pictures, "student", "epochs=1", teacher[0], teacher[1]);
        assertThat(run.code()).as(run.err()).isZero();
    }

    @Test
    void packedRowsLearnFromATeacherToo() throws IOException {
        assertThat(train(llama, chat, "teacher", "epochs=2").code()).isZero();
        Cli run =
                train(llama, chat, "student", "epochs=2", "packing=true", "distillation.adapter=" + adapter("teacher"));
        assertThat(run.code()).as(run.err()).isZero();
    }

    @Test
    void whatNoTeacherCanDoIsRefused() throws IOException {
        Path other = TinyLlama.write(folder.resolve("other"));
        Files.copy(
                Cli.FIXTURES.resolve("tokens/bytebpe/tokenizer.json"),
                other.resolve("tokenizer.json"),
                StandardCopyOption.REPLACE_EXISTING);
        refused("there is no teacher", llama, chat, "distillation.weight=0.3");
        refused(
                "expected a number above 0 and at most 1",
                llama,
                chat,
                "distillation.weight=2",
                "distillation.teacher=" + llama);
        refused("both need one tokenizer", llama, chat, "distillation.teacher=" + other);
        refused("has no trained head for SEQ_CLS", BERT, classes, "distillation.teacher=" + BERT);
        Path pairs = Files.writeString(
                folder.resolve("pairs.jsonl"), "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n");
        refused("preferences are learnt without a teacher", llama, pairs, "distillation.teacher=" + llama);
        Path numbers = Files.writeString(
                folder.resolve("numbers.jsonl"),
                "{\"text\": \"a\", \"label\": 0.5}\n{\"text\": \"b\", \"label\": 1.5}\n");
        refused("have others", BERT, numbers, "distillation.teacher=" + BERT);
        assertThat(train(BERT, classes, "teacher", "epochs=1").code()).isZero();
        Path more = Files.writeString(
                folder.resolve("more.jsonl"),
                "{\"text\": \"a b\", \"label\": \"no\"}\n{\"text\": \"c\", \"label\": \"perhaps\"}\n");
        refused("the adapter has the classes no, yes", BERT, more, "distillation.adapter=" + adapter("teacher"));
    }
}
