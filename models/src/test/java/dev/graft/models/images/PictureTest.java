package dev.graft.models.images;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against Pillow's answers, which {@code parity/python/pictures.py} writes. */
class PictureTest {
    private static final Path FOLDER = Path.of("../parity/fixtures/pictures");

    private static Picture picture(String name) {
        return Picture.read(FOLDER.resolve(name));
    }

    private static void assertSame(Picture got, Picture expected, int most) {
        assertThat(got.width()).isEqualTo(expected.width());
        assertThat(got.height()).isEqualTo(expected.height());
        for (int i = 0; i < got.rgb().length; i++) {
            assertThat(got.rgb()[i] & 0xFF)
                    .as("byte " + i)
                    .isBetween((expected.rgb()[i] & 0xFF) - most, (expected.rgb()[i] & 0xFF) + most);
        }
    }

    @ParameterizedTest
    @CsvSource({"grey.png, 0", "palette.gif, 0", "clear.png, 0", "plain.bmp, 0", "lossy.jpg, 3", "exact.webp, 0"})
    void readsWhatPillowReads(String name, int most) {
        assertSame(picture(name), picture(name.replace('.', '-') + "-rgb.png"), most);
    }

    @ParameterizedTest
    @EnumSource(ResamplingFilter.class)
    void resizesToTheByteAsPillow(ResamplingFilter filter) {
        Picture noise = picture("noise.png");
        for (int[] size : new int[][] {{12, 9}, {50, 40}, {31, 11}, {7, 23}}) {
            String name = String.format(
                    Locale.ROOT,
                    "noise-%dx%d-%s.png",
                    size[0],
                    size[1],
                    filter.name().toLowerCase(Locale.ROOT));
            assertSame(ImageResizer.resize(noise, size[0], size[1], filter), picture(name), 0);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void turnsAsTheCameraWasHeld(int orientation) {
        assertSame(picture("turned-" + orientation + ".png"), picture("upright-" + orientation + ".png"), 0);
    }

    @Test
    void turnsPhotographs() {
        assertSame(picture("turned.jpg"), picture("upright-6.png"), 3);
    }

    @Test
    void turnsWebp() {
        assertSame(picture("turned.webp"), picture("upright-6.png"), 0);
    }

    /** The format lets a reader choose how it spreads colours over neighbouring points, which leaves their brightness. */
    @Test
    void lossyWebpHasLibwebpsBrightness() {
        Picture got = picture("lossy.webp");
        Picture expected = picture("lossy-webp-rgb.png");
        double sum = 0;
        for (int i = 0; i < got.width() * got.height(); i++) {
            double difference = Math.abs(brightness(got, i) - brightness(expected, i));
            assertThat(difference).isLessThan(4);
            sum += difference;
        }
        assertThat(sum / (got.width() * got.height())).isLessThan(0.5);
    }

    private static double brightness(Picture picture, int point) {
        byte[] rgb = picture.rgb();
        int at = 3 * point;
        return 0.299 * (rgb[at] & 0xFF) + 0.587 * (rgb[at + 1] & 0xFF) + 0.114 * (rgb[at + 2] & 0xFF);
    }

    @Test
    void masksHaveNumbersInPlaceOfColours() throws IOException {
        byte[] palette = Files.readAllBytes(
                Path.of("src/test/resources/dev/graft/models/images/PictureFuzzTestInputs/masks/palette.png"));
        Picture mask = Picture.mask(palette, "palette.png");

        assertThat(mask.values()).isEqualTo(new byte[] {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
        assertThat(Picture.mask(mask.greyPng(), "again.png").rgb()).isEqualTo(mask.rgb());
        assertThat(Picture.of(palette, "palette.png").value(1, 0, 0)).isEqualTo(255);
    }

    @Test
    void refusesBombsByTheirDeclaredSize() {
        ByteBuffer header = ByteBuffer.allocate(33);
        header.putLong(0x89504E470D0A1A0AL)
                .putInt(13)
                .putInt(0x49484452)
                .putInt(1 << 20)
                .putInt(1 << 20);
        header.put((byte) 8).put((byte) 2).put(new byte[3]);
        CRC32 sum = new CRC32();
        sum.update(header.array(), 12, 17);
        header.putInt((int) sum.getValue());

        assertThatThrownBy(() -> Picture.of(header.array(), "bomb.png"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("bomb.png: has 1099511627776 points, at most 134217728 are read");
    }

    @Test
    void processesAsItsConfigurationSays() {
        Fields config = Fields.of("preprocessor_config.json", Json.parse("preprocessor_config.json", """
            {"do_resize": true, "size": {"shortest_edge": 20}, "resample": 3, "do_center_crop": true,
             "crop_size": {"height": 16, "width": 16}, "do_rescale": true, "rescale_factor": 0.00392156862745098,
             "do_normalize": true, "image_mean": [0.48145466, 0.4578275, 0.40821073],
             "image_std": [0.26862954, 0.26130258, 0.27577711]}\
            """));

        float[] values = ImageProcessor.read(config).values(picture("noise.png"));

        try (TensorSource expected = Safetensors.open(FOLDER.resolve("processed.safetensors"))) {
            assertThat(values)
                    .containsExactly(
                            expected.tensor("pixel_values").floats(), org.assertj.core.data.Offset.offset(1e-6f));
        }
    }

    @Test
    void refusesToMakeWhatIsTooLarge() {
        ImageProcessor processor =
                ImageProcessor.read(Fields.of("p.json", Json.parse("p.json", "{\"size\": {\"shortest_edge\": 224}}")));
        assertThatThrownBy(() -> processor.size(1, 100_000))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("1x100000 points comes to 22400000 times 224");
        assertThatThrownBy(() -> ImageProcessor.read(
                        Fields.of("p.json", Json.parse("p.json", "{\"size\": {\"width\": 99999, \"height\": 9}}"))))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("width");
    }

    @Test
    void fillsACropThatIsLargerThanThePicture() {
        Picture crop = picture("noise.png").crop(33, 25);

        assertThat(crop.value(0, 0, 0)).isZero();
        assertThat(crop.value(1, 1, 2)).isEqualTo(picture("noise.png").value(0, 0, 2));
    }

    @Test
    void refusesWhatIsNoPicture() {
        assertThatThrownBy(() -> Picture.of(new byte[] {1, 2, 3}, "x.png"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("expected PNG, JPEG, GIF, WebP or BMP");
    }

    @Test
    void refusesDamagedPictures() throws IOException {
        byte[] bytes = java.nio.file.Files.readAllBytes(FOLDER.resolve("noise.png"));

        assertThatThrownBy(() -> Picture.of(Arrays.copyOf(bytes, bytes.length / 2), "half.png"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("half.png");
    }

    @Test
    void refusesAFilterThatPillowLacks() {
        assertThatThrownBy(() -> ImageProcessor.read(
                        Fields.of("p.json", Json.parse("p.json", "{\"size\": 4, \"resample\": 9}"))))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("resample");
    }
}
