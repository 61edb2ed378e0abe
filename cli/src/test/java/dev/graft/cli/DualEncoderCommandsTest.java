package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Images with texts: training a dual encoder, scoring it, and choosing among labels. */
class DualEncoderCommandsTest {
    private static final Map<String, Color> COLOURS = new LinkedHashMap<>();

    static {
        COLOURS.put("red", new Color(230, 20, 20));
        COLOURS.put("green", new Color(20, 200, 30));
        COLOURS.put("blue", new Color(20, 30, 220));
        COLOURS.put("white", Color.WHITE);
        COLOURS.put("black", Color.BLACK);
        COLOURS.put("yellow", new Color(240, 230, 20));
    }

    @TempDir
    private Path folder;

    private Path model(String base) throws IOException {
        Path copy = Files.createDirectories(folder.resolve(base));
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(Cli.base(base).resolve(file), copy.resolve(file));
        }
        Files.writeString(copy.resolve("preprocessor_config.json"), """
                {"do_resize": true, "size": {"height": 16, "width": 16}, "resample": 2, "do_rescale": true,
                 "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
                """);
        List<String> words = new ArrayList<>(List.of("a", "square"));
        words.addAll(COLOURS.keySet());
        String vocabulary = words.stream()
                .map(word -> "\"" + word + "\": " + (4 + words.indexOf(word)))
                .collect(Collectors.joining(", "));
        String special = "\"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false,"
                + " \"special\": true}";
        Files.writeString(
                copy.resolve("tokenizer.json"), """
                {"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
                 "added_tokens": [{"id": 1, "content": "<pad>", SPECIAL, {"id": 63, "content": "<end>", SPECIAL],
                 "pre_tokenizer": {"type": "Whitespace"},
                 "post_processor": {"type": "TemplateProcessing", "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                   {"Sequence": {"id": "B", "type_id": 0}}],
                   "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}],
                   "special_tokens": {"<end>": {"id": "<end>", "ids": [63], "tokens": ["<end>"]}}},
                 "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab":
                   {"<pad>": 1, "<unk>": 2, "<end>": 63, WORDS}}}
                """.replace("SPECIAL", special).replace("WORDS", vocabulary));
        Files.writeString(
                copy.resolve("tokenizer_config.json"),
                "{\"pad_token\": \"<pad>\", \"unk_token\": \"<unk>\", \"eos_token\": \"<end>\"}");
        return copy;
    }

    private Path rows(String part) throws IOException {
        StringBuilder rows = new StringBuilder();
        Files.createDirectories(folder.resolve(part));
        for (Map.Entry<String, Color> colour : COLOURS.entrySet()) {
            BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
            for (int i = 0; i < 256; i++) {
                image.setRGB(i % 16, i / 16, colour.getValue().getRGB());
            }
            ImageIO.write(
                    image,
                    "png",
                    folder.resolve(part + "/" + colour.getKey() + ".png").toFile());
            rows.append("{\"image\": \"").append(part).append('/').append(colour.getKey());
            rows.append(".png\", \"text\": \"a ").append(colour.getKey()).append(" square\"}\n");
        }
        return Files.writeString(folder.resolve(part + ".jsonl"), rows);
    }

    @ParameterizedTest
    @ValueSource(strings = {"clip", "siglip"})
    void pairsTrainAndLabelsAreChosen(String base) throws IOException {
        Path model = model(base);
        Path data = rows("pairs");
        Path out = folder.resolve("out");
        Cli run = Cli.run(
                "train",
                "--model",
                model,
                "--data",
                data,
                "--data.valid",
                data,
                "--output-dir",
                out,
                "--dtype",
                "fp32",
                "--epochs",
                40,
                "--batch-size",
                6,
                "--eval-steps",
                40,
                "--learning-rate",
                "2e-2",
                "--lora.target-modules",
                "all-linear");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("images with texts");
        assertThat(Json.read(out.resolve("report.json"))
                        .at("/validation/accuracy")
                        .doubleValue())
                .as(run.err())
                .isEqualTo(1);

        Path adapter = out.resolve("adapter");
        Cli scored = Cli.run("eval", "--model", model, "--adapter", adapter, "--data", data, "--json");
        assertThat(scored.json().path("accuracy").doubleValue())
                .as(scored.err())
                .isEqualTo(1);

        Cli asked = Cli.run(
                "predict",
                "--model",
                model,
                "--adapter",
                adapter,
                "--labels",
                String.join(",", COLOURS.keySet()),
                "--template",
                "a {} square",
                "--image",
                folder.resolve("pairs/blue.png"),
                "--json");
        JsonNode answer = asked.json();
        assertThat(answer.path("label").stringValue()).as(asked.err()).isEqualTo("blue");
        assertThat(answer.path("probabilities").size()).isEqualTo(6);
    }

    @Test
    void whatADualEncoderCantDoIsRefused() throws IOException {
        Path model = model("siglip");
        Path data = rows("pairs");
        Path image = folder.resolve("pairs/red.png");

        assertThat(Cli.run("predict", "--model", model, "--image", image).err()).contains("name the labels");
        assertThat(Cli.run("predict", "--model", model, "--labels", "red,blue", "--image", image, "--template", "red")
                        .err())
                .contains("{} where the label goes");
        assertThat(Cli.run("predict", "--model", model, "--labels", "red,blue", "--text", "red")
                        .err())
                .contains("this model needs a picture");
        Cli smoothed = Cli.run(
                "train", "--model", model, "--data", data, "--output-dir", folder.resolve("o"), "label_smoothing=0.1");
        assertThat(smoothed.code()).isEqualTo(2);
        assertThat(smoothed.err()).contains("label_smoothing").contains("judges each pair");
        assertThat(Cli.run("train", "--model", model, "--data", data, "--task", "causal")
                        .err())
                .contains("images with texts");
    }
}
