package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Training, scoring and asking classifiers of images. */
class ImageCommandsTest {
    @TempDir
    private Path folder;

    private Path model;
    private Path data;
    private Path out;

    @BeforeEach
    void files() throws IOException {
        model = model("vit");
        data = folder.resolve("pictures");
        out = folder.resolve("out");
        for (int i = 0; i < 24; i++) {
            int shade = 120 + 5 * i;
            picture(data.resolve("train/red/" + i + ".png"), new Color(shade, 20, 20));
            picture(data.resolve("train/blue/" + i + ".png"), new Color(20, 20, shade));
            if (i < 4) {
                picture(data.resolve("valid/red/" + i + ".png"), new Color(shade + 2, 30, 20));
                picture(data.resolve("valid/blue/" + i + ".png"), new Color(20, 30, shade + 2));
            }
        }
    }

    /** A tiny model, which comes without what says how pictures go in. */
    private Path model(String base) throws IOException {
        return model(base, folder.resolve(base));
    }

    static Path model(String base, Path copy) throws IOException {
        Files.createDirectories(copy);
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(Cli.base(base).resolve(file), copy.resolve(file));
        }
        int side = Json.read(copy.resolve("config.json")).path("image_size").asInt(16);
        Files.writeString(copy.resolve("preprocessor_config.json"), """
                {"do_resize": true, "size": {"height": %d, "width": %d}, "resample": 2, "do_rescale": true,
                 "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
                """.formatted(side, side));
        return copy;
    }

    private static void picture(Path file, Color color) throws IOException {
        BufferedImage image = new BufferedImage(20, 12, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 240; i++) {
            image.setRGB(i % 20, i / 20, color.getRGB());
        }
        Files.createDirectories(file.getParent());
        ImageIO.write(image, "png", file.toFile());
    }

    private Cli train(Path base, Object... more) {
        List<Object> words = new ArrayList<>(List.of("train", "--model", base, "--data", data, "--output-dir", out));
        words.addAll(List.of("--batch-size", 16, "--learning-rate", "1e-2", "--dtype", "fp32"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private double accuracy() {
        return Json.read(out.resolve("report.json")).at("/validation/accuracy").doubleValue();
    }

    @Test
    void aFolderForEachClassTrainsScoresAndPredicts() {
        Cli run = train(model, "--epochs", 4);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("48 images").contains("new head").doesNotContain("tokens/s");
        assertThat(accuracy()).isEqualTo(1);

        Path adapter = out.resolve("adapter");
        Cli scored = Cli.run("eval", "--model", model, "--adapter", adapter, "--data", data.resolve("valid"), "--json");
        assertThat(scored.json().path("accuracy").doubleValue()).isEqualTo(1);

        Path red = data.resolve("valid/red/1.png");
        Cli asked = Cli.run("predict", "--model", model, "--adapter", adapter, "--image", red, "--json");
        JsonNode answer = asked.json();
        assertThat(answer.path("label").stringValue()).isEqualTo("red");
        assertThat(answer.path("image").stringValue()).isEqualTo(red.toString());

        Cli all = Cli.run("predict", "--model", model, "--adapter", adapter, "--data", data.resolve("valid/blue"));
        assertThat(all.out().lines()).hasSize(4).allMatch(line -> line.startsWith("blue  (blue "));
    }

    @ParameterizedTest
    @ValueSource(strings = {"bitfit", "prefix-tuning", "ia3", "pfeiffer"})
    void otherMethodsTrainToo(String method) {
        Cli run = method.equals("prefix-tuning")
                ? train(model, "--method", method, "prefix-tuning.num_virtual_tokens=4", "--epochs", 2)
                : train(model, "--method", method, "--epochs", 2);

        assertThat(run.code()).as(run.err()).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "deit, q_proj",
        "deit-distilled, v_proj",
        "dinov2, fc1",
        "dinov2-gated, gate_proj",
        "siglip-imgcls, out_proj",
        "resnet, convolution",
        "swin, q_proj"
    })
    void loraTrainsOnEveryFamily(String base, String target) throws IOException {
        Path other = model(base);
        Cli run = train(other, "--epochs", 4, "--lora.target-modules", target);

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(accuracy()).isGreaterThan(0.8);
        Path red = data.resolve("valid/red/1.png");
        Cli asked = Cli.run("predict", "--model", other, "--adapter", out.resolve("adapter"), "--image", red, "--json");
        assertThat(asked.json().path("label").stringValue()).as(asked.err()).isEqualTo("red");
    }

    @ParameterizedTest
    @ValueSource(strings = {"dinov2", "siglip-imgcls", "resnet", "swin"})
    void methodsAreComparedBesideAProbeOfWhatTheHeadReads(String base) throws IOException {
        picture(data.resolve("test/red/0.png"), new Color(200, 25, 20));
        picture(data.resolve("test/blue/0.png"), new Color(20, 25, 200));
        Path recipe = Files.writeString(folder.resolve("compare.yaml"), """
                model: file:%s
                dtype: fp32
                data:
                  train: %s
                methods: [bitfit]
                rates: [1]
                seeds: 1
                max_steps: 2
                output_dir: %s
                """.formatted(model(base), data, out));
        Cli run = Cli.run("compare", recipe, "--json");

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().at("/methods/0/method").stringValue()).isEqualTo("frozen-base");
        assertThat(run.json().at("/methods/0/score").doubleValue()).isEqualTo(1);
    }

    @Test
    void aDryRunShowsThePictures() {
        Cli run = train(model, "--dry-run");

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out())
                .contains("16 images")
                .contains("train/blue/0.png")
                .contains("16 x 16 points, values from -0.84");
        assertThat(run.out().substring(run.out().indexOf("# Samples"))).doesNotContain(" tokens");
    }

    @Test
    void aDamagedPictureStopsBeforeTraining() throws IOException {
        Files.writeString(data.resolve("train/red/7.png"), "text");
        Cli run = train(model);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("train/red/7.png: is no picture that can be read");
        assertThat(out).doesNotExist();
    }

    @Test
    void textsForAnImageModelAreRefused() throws IOException {
        Path rows = Files.writeString(folder.resolve("rows.jsonl"), "{\"image\": \"pictures/valid/red/1.png\"}\n");

        assertThat(Cli.run("predict", "--model", model, "--text", "red").err())
                .contains("the row is texts without labels, but this classifier needs a picture");
        assertThat(Cli.run("eval", "--model", model, "--data", rows).err()).contains("images without labels, but");
        Cli asked = Cli.run("predict", "--model", model, "--data", rows);
        assertThat(asked.out()).as(asked.err()).startsWith("LABEL_");
        Files.delete(model.resolve("preprocessor_config.json"));
        assertThat(Cli.run("predict", "--model", model, "--data", rows).err())
                .contains("preprocessor_config.json: is missing");
    }
}
