package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.models.images.Picture;
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

/** Images with masks: training, scoring and finding the class of each point. */
class SegmentationCommandsTest {
    private static final int SIDE = 16;

    @TempDir
    private Path folder;

    private Path data;

    /** Red on blue, with an edge at another place in each. */
    @BeforeEach
    void rows() throws IOException {
        StringBuilder rows = new StringBuilder();
        Files.createDirectories(folder.resolve("data"));
        for (int i = 0; i < 12; i++) {
            int edge = 4 + i % 3 * 4;
            BufferedImage image = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
            byte[] mask = new byte[SIDE * SIDE];
            for (int at = 0; at < mask.length; at++) {
                boolean red = i % 2 == 0 ? at % SIDE < edge : at / SIDE < edge;
                image.setRGB(
                        at % SIDE, at / SIDE, (red ? new Color(200 + i, 20, 20) : new Color(20, 20, 200 + i)).getRGB());
                mask[at] = (byte) (at < 3 ? 255 : red ? 1 : 0);
            }
            ImageIO.write(image, "png", folder.resolve("data/" + i + ".png").toFile());
            Files.write(
                    folder.resolve("data/" + i + "-mask.png"),
                    Picture.grey(SIDE, SIDE, mask).greyPng());
            rows.append("{\"image\": \"" + i + ".png\", \"mask\": \"" + i + "-mask.png\"}\n");
        }
        data = Files.writeString(folder.resolve("data/rows.jsonl"), rows);
    }

    private Path model(String base) throws IOException {
        Path copy = Files.createDirectories(folder.resolve(base));
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(Cli.base(base).resolve(file), copy.resolve(file));
        }
        Files.writeString(copy.resolve("preprocessor_config.json"), """
                {"do_resize": true, "size": {"shortest_edge": 20}, "do_center_crop": true, "crop_size": 16, "resample": 3,
                 "do_rescale": true, "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
                """);
        return copy;
    }

    private Cli train(Path model, Object... more) {
        List<Object> words = new ArrayList<>(
                List.of("train", "--model", model, "--data", data, "--output-dir", folder.resolve("out")));
        words.addAll(List.of("--dtype", "fp32", "--batch-size", 6, "--learning-rate", "2e-2"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    @ParameterizedTest
    @ValueSource(strings = {"vit", "dinov2", "siglip-imgcls"})
    void pointsGetTheClassOfTheirColour(String base) throws IOException {
        Path model = model(base);
        Cli run = train(
                model, "--task", "semantic-segmentation", "--epochs", 15, "--eval-steps", 30, "--data.valid", data);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Json.read(folder.resolve("out/report.json"))
                        .at("/validation/mean_iou")
                        .doubleValue())
                .as(run.err())
                .isGreaterThan(0.9);

        Path adapter = folder.resolve("out/adapter");
        Cli scored = Cli.run("eval", "--model", model, "--adapter", adapter, "--data", data, "--json");
        assertThat(scored.json().path("mean_iou").doubleValue())
                .as(scored.err())
                .isGreaterThan(0.9);

        Path wide = folder.resolve("wide.png");
        BufferedImage image = new BufferedImage(32, SIDE, BufferedImage.TYPE_INT_RGB);
        for (int at = 0; at < 32 * SIDE; at++) {
            image.setRGB(at % 32, at / 32, (at % 32 < 16 ? new Color(205, 20, 20) : new Color(20, 20, 205)).getRGB());
        }
        ImageIO.write(image, "png", wide.toFile());
        Cli asked = Cli.run(
                "predict",
                "--model",
                model,
                "--adapter",
                adapter,
                "--image",
                wide,
                "--masks",
                folder.resolve("found"),
                "--json");
        assertThat(asked.code()).as(asked.err()).isZero();
        assertThat(asked.json().at("/shares/1").doubleValue()).isBetween(0.4, 0.6);
        Path file = Path.of(asked.json().path("mask").stringValue());
        Picture mask = Picture.mask(Files.readAllBytes(file), file.toString());
        assertThat(List.of(mask.width(), mask.height(), mask.value(3, 8, 0), mask.value(28, 8, 0)))
                .containsExactly(32, SIDE, 1, 0);
    }

    @ParameterizedTest
    @CsvSource({
        "size, has 8 x 8 points",
        "colour, expected one number",
        "jpeg, expected a PNG",
        "class, point of class 9"
    })
    void masksThatDontFitAreRefused(String fault, String message) throws IOException {
        Path mask = folder.resolve("data/0-mask.png");
        BufferedImage colour = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
        byte[] nine = new byte[SIDE * SIDE];
        nine[40] = 9;
        Path valid = data;
        switch (fault) {
            case "size" -> Files.write(mask, Picture.grey(8, 8, new byte[64]).greyPng());
            case "colour" -> ImageIO.write(colour, "png", mask.toFile());
            case "jpeg" -> ImageIO.write(colour, "jpg", mask.toFile());
            default -> {
                Files.write(
                        folder.resolve("data/nine.png"),
                        Picture.grey(SIDE, SIDE, nine).greyPng());
                valid = Files.writeString(
                        folder.resolve("data/valid.jsonl"), "{\"image\": \"0.png\", \"mask\": \"nine.png\"}\n");
            }
        }
        Cli run = train(model("vit"), "--epochs", 1, "--data.valid", valid);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(message);
    }

    @Test
    void otherModelsAndRowsAreRefused() throws IOException {
        Path model = model("resnet");
        assertThat(train(model).err()).contains("SEMANTIC_SEG");
        Path captions =
                Files.writeString(folder.resolve("data/captions.jsonl"), "{\"image\": \"0.png\", \"text\": \"red\"}\n");
        assertThat(Cli.run("train", "--model", model, "--data", captions, "--task", "semantic-segmentation")
                        .err())
                .contains("mask");
        assertThat(Cli.run(
                                "predict",
                                "--model",
                                model("vit"),
                                "--image",
                                folder.resolve("data/0.png"),
                                "--masks",
                                folder)
                        .err())
                .contains("--masks is for models that give each point a class");
    }
}
