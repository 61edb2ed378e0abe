package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** BART, mT5 and Whisper of fixture's size, each trained by one command, then asked with what was learnt. */
class EncoderDecoderFamiliesTest {
    private static final List<String> WORDS =
            List.of("<pad>", "<s>", "</s>", "<unk>", "cat", "dog", "red", "big", "sun", "sea");
    private static final Path SOUNDS = Cli.FIXTURES.resolve("audio").toAbsolutePath();

    @TempDir
    private Path folder;

    /** The base with a tokenizer of ten words. */
    private Path base(String name) throws IOException {
        return base(name, name);
    }

    private Path base(String name, String as) throws IOException {
        Path model = Files.createDirectory(folder.resolve(as));
        try (Stream<Path> files = Files.list(Cli.base(name))) {
            for (Path file : files.toList()) {
                Files.copy(file, model.resolve(file.getFileName()));
            }
        }
        ObjectNode tokenizer = (ObjectNode) Json.parse("tokenizer", """
                {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                 "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
                 "post_processor": {"type": "TemplateProcessing",
                    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                               {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                                       "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
                 "model": {"type": "WordLevel", "unk_token": "<unk>"}}
                """);
        ObjectNode vocabulary = ((ObjectNode) tokenizer.get("model")).putObject("vocab");
        for (int id = 0; id < WORDS.size(); id++) {
            vocabulary.put(WORDS.get(id), id);
            if (id < 4) {
                tokenizer
                        .withArray("added_tokens")
                        .addObject()
                        .put("id", id)
                        .put("content", WORDS.get(id))
                        .put("special", true)
                        .put("single_word", false)
                        .put("lstrip", false)
                        .put("rstrip", false)
                        .put("normalized", false);
            }
        }
        Files.writeString(model.resolve("tokenizer.json"), Json.compact(tokenizer));
        Files.writeString(
                model.resolve("tokenizer_config.json"),
                Json.compact(JsonNodeFactory.instance
                        .objectNode()
                        .put("eos_token", "</s>")
                        .put("bos_token", "<s>")
                        .put("pad_token", "<pad>")
                        .put("unk_token", "<unk>")
                        .put("tokenizer_class", "PreTrainedTokenizerFast")));
        return model;
    }

    private Cli run(Object... words) {
        Cli run = Cli.run(words);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    @ParameterizedTest
    @ValueSource(strings = {"bart", "mt5"})
    void theyLearnToAnswerWithTheSecondWord(String family) throws IOException {
        Path model = base(family);
        List<String> rows = new ArrayList<>();
        for (int i = 0; i < 36; i++) {
            String second = WORDS.get(4 + i / 6);
            rows.add("{\"source\": \"%s %s\", \"target\": \"%s\"}".formatted(WORDS.get(4 + i % 6), second, second));
        }
        Path data = Files.write(folder.resolve("rows.jsonl"), rows);
        Path out = folder.resolve("out");

        run(
                "train",
                "--model",
                model,
                "data.train=" + data,
                "epochs=12",
                "lr=2e-2",
                "--dtype",
                "fp32",
                "--output-dir",
                out);
        JsonNode before = run("eval", "--model", model, "--data", data, "--dtype", "fp32", "--json")
                .json();
        JsonNode after = run(
                        "eval",
                        "--model",
                        model,
                        "-a",
                        out.resolve("adapter"),
                        "--data",
                        data,
                        "--dtype",
                        "fp32",
                        "--json")
                .json();
        assertThat(after.get("loss").doubleValue())
                .isLessThan(0.6 * before.get("loss").doubleValue());

        Cli greedy =
                run("generate", "--model", model, "-a", out.resolve("adapter"), "-p", "cat dog", "--dtype", "fp32");
        Cli beams = run(
                "generate",
                "--model",
                model,
                "-a",
                out.resolve("adapter"),
                "-p",
                "cat dog",
                "--dtype",
                "fp32",
                "--num-beams",
                3);
        assertThat(greedy.out()).isNotBlank();
        assertThat(beams.out()).isNotBlank();
    }

    /** The fixture hears six bands for less than a second. */
    private Path whisper(String as, int samples) throws IOException {
        Path model = base("whisper", as);
        Files.writeString(
                model.resolve("preprocessor_config.json"),
                "{\"feature_extractor_type\": \"WhisperFeatureExtractor\", \"feature_size\": 6, \"chunk_length\": 1,"
                        + " \"sampling_rate\": 180, \"hop_length\": 10, \"n_fft\": " + samples + "}");
        return model;
    }

    private Path speech() throws IOException {
        return Files.writeString(
                folder.resolve("speech.jsonl"),
                "{\"audio\": \"%s\", \"text\": \"cat dog\"}\n{\"audio\": \"%s\", \"text\": \"sun\"}\n"
                        .formatted(SOUNDS.resolve("pcm16.wav"), SOUNDS.resolve("stereo24.flac")));
    }

    @Test
    void aTeacherOfRecordingsHearsThemAsItsStudentDoes() throws IOException {
        Path student = whisper("student", 20);
        Object[] words = {
            "train",
            "--model",
            student,
            "data.train=" + speech(),
            "epochs=1",
            "--dtype",
            "fp32",
            "--output-dir",
            folder.resolve("out"),
            "distillation.teacher=" + whisper("other", 18)
        };
        Cli refused = Cli.run(words);
        assertThat(refused.code()).as(refused.err()).isEqualTo(2);
        assertThat(refused.err()).contains("hears recordings by ").contains("both must be the same");

        words[9] = "distillation.teacher=" + whisper("same", 20);
        Cli taught = run(words);
        assertThat(taught.err()).contains("Teacher: " + folder.resolve("same"));
    }

    @Tag("slow")
    @Test
    void whisperLearnsWhatIsSaidInItsRecordings() throws IOException {
        Path model = whisper("whisper", 20);
        Path data = speech();
        Path out = folder.resolve("out");

        Cli trained = run(
                "train",
                "--model",
                model,
                "data.train=" + data,
                "epochs=150",
                "lr=1e-2",
                "--dtype",
                "fp32",
                "--output-dir",
                out);
        assertThat(trained.err()).contains("recordings with what is said");
        JsonNode scores = run(
                        "eval",
                        "--model",
                        model,
                        "-a",
                        out.resolve("adapter"),
                        "--data",
                        data,
                        "--dtype",
                        "fp32",
                        "--json")
                .json();
        assertThat(scores.get("exact_match").doubleValue()).isEqualTo(1);

        Cli said = run(
                "transcribe",
                "--model",
                model,
                "-a",
                out.resolve("adapter"),
                SOUNDS.resolve("pcm16.wav"),
                "--dtype",
                "fp32");
        assertThat(said.out().strip()).isEqualTo("cat dog");
        Cli predicted = run(
                "predict", "--model", model, "-a", out.resolve("adapter"), "--data", data, "--dtype", "fp32", "--json");
        assertThat(predicted.out()).contains("\"text\":\"cat dog\"").contains("\"text\":\"sun\"");

        Cli texts = Cli.run("generate", "--model", model, "-p", "cat");
        assertThat(texts.code()).isEqualTo(2);
        assertThat(texts.err()).contains("needs recordings");
    }

    @Test
    void aModelOfTextHearsNothing() {
        Cli run = Cli.run("transcribe", "--model", Cli.base("t5"), SOUNDS.resolve("pcm16.wav"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("hears nothing");
    }
}
