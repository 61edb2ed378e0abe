package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;
import dev.graft.models.images.ResamplingFilter;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pictures in folders, named by rows, and packed in the files of MNIST and CIFAR. */
class PictureRowsTest {
    private static final ImageProcessor PROCESSOR = new ImageProcessor(
            new ImageProcessor.Size(4, 2, 0),
            ResamplingFilter.BILINEAR,
            null,
            1 / 255.0,
            List.of(0.0, 0.0, 0.0),
            List.of(1.0, 1.0, 1.0));

    @TempDir
    Path folder;

    private void png(String name, int rgb) throws IOException {
        BufferedImage image = new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB);
        image.setRGB(2, 1, rgb);
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        ImageIO.write(image, "png", file.toFile());
    }

    private Dataset open(String name) {
        return Dataset.open(folder.resolve(name));
    }

    private static Picture picture(Rows rows, int index) {
        return ((Row.Image) rows.get(index)).picture().read();
    }

    private static List<String> labels(Rows rows) {
        return IntStream.range(0, rows.size())
                .mapToObj(i -> String.join(",", rows.get(i).label().names()))
                .toList();
    }

    @Test
    void aFolderOfAClassHasItsPictures() throws IOException {
        png("train/cat/2.png", 0xff0000);
        png("train/cat/more/1.png", 0x00ff00);
        png("train/dog/3.PNG", 0x0000ff);
        png("valid/dog/4.png", 0x0000ff);
        Files.writeString(folder.resolve("train/dog/notes.txt"), "seen in May");
        Files.writeString(folder.resolve("train/.DS_Store"), "hidden");

        try (Splits splits = Splits.open(folder, DataOptions.DETECT)) {
            Dataset train = (Dataset) splits.train();
            assertThat(train.shape()).isEqualTo(RowShape.LABELLED_IMAGE);
            assertThat(train.detected())
                    .isEqualTo("image folder without 1 other files such as notes.txt, images to classify,"
                            + " fields image,label, 2 labels, 3 rows");
            assertThat(labels(train)).containsExactly("cat", "cat", "dog");
            assertThat(picture(train, 2).value(2, 1, 2)).isEqualTo(255);
            assertThat(train.place(0)).endsWith("train/cat/2.png");
            assertThat(splits.validation().size()).isEqualTo(1);
            assertThat(String.join("\n", splits.notes())).contains("1 of 1 rows have the same input as a training row");
        }
    }

    @Test
    void aFolderOfPicturesAloneHasNoLabels() throws IOException {
        png("new/1.png", 0);
        try (Dataset data = open("new")) {
            assertThat(data.shape()).isEqualTo(RowShape.IMAGE);
            assertThat(data.labelKind()).isNull();
        }
        png("new/cat/2.png", 0);
        assertThatThrownBy(() -> open("new"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("1.png beside folders such as cat");
        Files.createDirectories(folder.resolve("bare/cat"));
        assertThatThrownBy(() -> open("bare")).hasMessageContaining("cat: has no picture");
    }

    @Test
    void aRowNamesAPictureFromItsFileOn() throws IOException {
        png("photos/1.png", 0xff0000);
        png("photos/2.png", 0x00ff00);
        Files.writeString(folder.resolve("rows.csv"), "path,kind,by\nphotos/1.png,red,me\nphotos/2.png,green,me\n");
        DataOptions named = DataOptions.DETECT.withColumns(Map.of("image", "path", "label", "kind"));
        try (Dataset data = Dataset.open(folder.resolve("rows.csv"), named)) {
            assertThat(data.detected())
                    .isEqualTo("CSV, images to classify, fields path,kind, 2 labels, 2 rows (not used: by)");
            assertThat(picture(data, 1).value(2, 1, 1)).isEqualTo(255);
        }
        Files.writeString(
                folder.resolve("rows.jsonl"),
                "{\"image\": \"photos/1.png\", \"label\": \"red\"}\n"
                        + "{\"image\": \"photos/9.png\", \"label\": \"red\"}\n");
        assertThatThrownBy(() -> open("rows.jsonl"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("rows.jsonl:2: there is no picture")
                .hasMessageContaining("9.png");
        Files.writeString(folder.resolve("rows.jsonl"), "{\"image\": \"a\\u0000b\", \"label\": \"red\"}\n");
        assertThatThrownBy(() -> open("rows.jsonl")).hasMessageContaining("rows.jsonl:1: \"a\u0000b\" is no name");
    }

    @Test
    void encodingDecodesEachOnceAndKeepsNone() throws IOException {
        png("cat/1.png", 0xffffff);
        png("dog/1.png", 0);
        try (Dataset data = open("")) {
            ImageClassificationEncoder encoder = new ImageClassificationEncoder(PROCESSOR, Labels.of(data));
            Examples examples = Examples.encode(data, encoder, 2, Overflow.ERROR);
            assertThat(examples.summary().text()).isEqualTo("2 images");
            Batch batch = examples.batch(new int[] {1, 0}, 0);
            assertThat(batch.images().tensor().sizes().vec().get()).containsExactly(2, 3, 2, 4);
            assertThat(batch.parts(2)).hasSize(2);

            Files.write(folder.resolve("dog/1.png"), new byte[] {1, 2, 3});
            assertThatThrownBy(() -> batch.images().tensor())
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("dog/1.png");
            assertThatThrownBy(() -> Examples.encode(data, encoder, 2, Overflow.ERROR))
                    .isInstanceOf(FormatException.class)
                    .hasMessageMatching("(?s)[^:]*dog/1.png: is no picture.*");
        }
    }

    @Test
    void aDamagedPictureIsNamedWithItsRow() throws IOException {
        png("1.png", 0);
        Files.writeString(folder.resolve("2.png"), "text");
        Files.writeString(folder.resolve("rows.csv"), "image,label\n1.png,a\n2.png,b\n");
        try (Dataset data = open("rows.csv")) {
            ImageClassificationEncoder encoder = new ImageClassificationEncoder(PROCESSOR, Labels.of(data));
            assertThatThrownBy(() -> Examples.encode(data, encoder, 2, Overflow.ERROR))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("rows.csv:3")
                    .hasMessageContaining("2.png: is no picture");
        }
    }

    private static byte[] idx(int rank, int[] dimensions, int... values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 + 4 * dimensions.length + values.length);
        bytes.putInt(0x800 | rank);
        IntStream.of(dimensions).forEach(bytes::putInt);
        IntStream.of(values).forEach(value -> bytes.put((byte) value));
        return bytes.array();
    }

    private void write(String name, byte[] content) throws IOException {
        byte[] written = content;
        if (name.endsWith(".gz")) {
            ByteArrayOutputStream packed = new ByteArrayOutputStream();
            try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
                out.write(content);
            }
            written = packed.toByteArray();
        }
        Files.write(folder.resolve(name), written);
    }

    @Test
    void mnistIsReadPackedAndUnpacked() throws IOException {
        write("train-images-idx3-ubyte.gz", idx(3, new int[] {2, 1, 2}, 1, 2, 3, 250));
        write("train-labels-idx1-ubyte.gz", idx(1, new int[] {2}, 7, 3));
        write("t10k-images-idx3-ubyte", idx(4, new int[] {1, 1, 1, 3}, 9, 8, 7));
        write("t10k-labels-idx1-ubyte", idx(1, new int[] {1}, 3));

        try (Splits splits = Splits.open(folder, DataOptions.DETECT)) {
            assertThat(((Dataset) splits.train()).detected()).startsWith("IDX of 2x1, images to classify");
            assertThat(labels(splits.train())).containsExactly("7", "3");
            assertThat(picture(splits.train(), 1)).satisfies(grey -> {
                assertThat(grey.value(0, 0, 2)).isEqualTo(3);
                assertThat(grey.value(1, 0, 0)).isEqualTo(250);
            });
            assertThat(splits.train().place(1)).endsWith("train-images-idx3-ubyte.gz, picture 2");
            assertThat(splits.validation()).isNull();
            assertThat(picture(splits.test(), 0).rgb()).containsExactly(9, 8, 7);
        }
    }

    @Test
    void mnistOfWrongSizesIsRefused() throws IOException {
        write("images-idx3", idx(3, new int[] {2, 1, 2}, 1, 2, 3));
        assertThatThrownBy(() -> open("images-idx3")).hasMessageContaining("labels-idx1 beside it");
        write("labels-idx1", idx(1, new int[] {2}, 7, 3));
        assertThatThrownBy(() -> open("images-idx3"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("has 19 bytes, its dimensions need 20");
        write("images-idx3", idx(3, new int[] {2, 1, 2}, 1, 2, 3, 4));
        write("labels-idx1", idx(1, new int[] {3}, 7, 3, 1));
        assertThatThrownBy(() -> open("images-idx3")).hasMessageContaining("not one label for each of the 2 pictures");
        write("images-idx3", idx(3, new int[] {2, 1 << 20, 1 << 20}));
        assertThatThrownBy(() -> open("images-idx3")).hasMessageContaining("at most");
        write("images-idx3", idx(3, new int[] {-1, 1, 1}));
        assertThatThrownBy(() -> open("images-idx3")).hasMessageContaining("dimension of -1");
    }

    private static byte[] cifar(int... heads) {
        byte[] row = new byte[heads.length + 3072];
        for (int i = 0; i < heads.length; i++) {
            row[i] = (byte) heads[i];
        }
        row[heads.length + 33] = 11;
        row[heads.length + 1024 + 33] = 12;
        row[heads.length + 2048 + 33] = 13;
        return row;
    }

    @Test
    void cifarTenHasFiveFilesToTrainOn() throws IOException {
        for (int i = 1; i <= 5; i++) {
            write("data_batch_" + i + ".bin", cifar(i % 2));
        }
        write("test_batch.bin", cifar(1));
        Files.writeString(folder.resolve("batches.meta.txt"), "airplane\nautomobile\n\n");
        try (Splits splits = Splits.open(folder, DataOptions.DETECT)) {
            assertThat(labels(splits.train()))
                    .containsExactly("automobile", "airplane", "automobile", "airplane", "automobile");
            Picture picture = picture(splits.train(), 3);
            assertThat(List.of(picture.value(1, 1, 0), picture.value(1, 1, 1), picture.value(1, 1, 2)))
                    .containsExactly(11, 12, 13);
            assertThat(splits.train().place(3)).endsWith("data_batch_4.bin, picture 1");
            assertThat(labels(splits.test())).containsExactly("automobile");
        }
        write("data_batch_4.bin", new byte[3072]);
        assertThatThrownBy(() -> Splits.open(folder, DataOptions.DETECT))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("data_batch_4.bin: has 3072 bytes, expected a multiple of the 3073");
    }

    @Test
    void cifarHundredHasFineAndCoarseLabels() throws IOException {
        write("train.bin", cifar(1, 2));
        write("test.bin", cifar(0, 9));
        Files.writeString(folder.resolve("fine_label_names.txt"), "apple\nbaby\nbear\n");
        DataOptions coarse = DataOptions.DETECT.withColumns(Map.of("label", "coarse_label"));

        assertThat(labels(open("train.bin"))).containsExactly("bear");
        assertThat(labels(Dataset.open(folder.resolve("train.bin"), coarse))).containsExactly("1");
        assertThatThrownBy(() -> open("test.bin")).hasMessageContaining("has the label 9, but there are 3 names");
    }
}
