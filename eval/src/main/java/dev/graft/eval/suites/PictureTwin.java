package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;

/**
 * Twins of CIFAR, ImageNet and VTAB-1k in their official files: shapes of any place, size and turn, in colours that only training pictures
 * or only test pictures have. CIFAR-100's classes are pairs of shapes side by side.
 */
final class PictureTwin {
    private static final int TEST = 200;
    private static final int BATCHES = 5;
    private static final int CIFAR_SIDE = 32;
    private static final int SIDE = 64;
    private static final int SHAPES = TwinDrawing.SHAPES.size();

    private PictureTwin() {}

    /** Writes CIFAR-10's and CIFAR-100's binary files into an empty folder. */
    static void cifar(Path folder, long seed, int train) {
        Path ten = folder.resolve("cifar-10-batches-bin");
        Random random = new Random(seed);
        for (int batch = 1; batch <= BATCHES; batch++) {
            AtomicWrite.bytes(
                    ten.resolve("data_batch_" + batch + ".bin"), packed(train / BATCHES, false, false, random));
        }
        AtomicWrite.bytes(ten.resolve("test_batch.bin"), packed(TEST, false, true, random));
        AtomicWrite.text(ten.resolve("batches.meta.txt"), String.join("\n", TwinDrawing.SHAPES) + "\n");
        Path hundred = folder.resolve("cifar-100-binary");
        AtomicWrite.bytes(hundred.resolve("train.bin"), packed(train, true, false, random));
        AtomicWrite.bytes(hundred.resolve("test.bin"), packed(TEST, true, true, random));
        TwinMarker.write(folder, "CIFAR", seed);
    }

    private static byte[] packed(int rows, boolean hundred, boolean isTest, Random random) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < rows; i++) {
            int shape = random.nextInt(SHAPES);
            List<Integer> shapes = hundred ? List.of(shape, random.nextInt(SHAPES)) : List.of(shape);
            if (hundred) {
                int fine = SHAPES * shape + shapes.get(1);
                bytes.write(fine / 5);
                bytes.write(fine);
            } else {
                bytes.write(shape);
            }
            BufferedImage picture = TwinDrawing.of(shapes, isTest, random).drawn(CIFAR_SIDE, random);
            for (int shift = 16; shift >= 0; shift -= 8) {
                for (int point = 0; point < CIFAR_SIDE * CIFAR_SIDE; point++) {
                    bytes.write(picture.getRGB(point % CIFAR_SIDE, point / CIFAR_SIDE) >> shift);
                }
            }
        }
        return bytes.toByteArray();
    }

    /** Writes ImageNet's folders into an empty one. */
    static void imageNet(Path folder, long seed, int train) {
        Random random = new Random(seed);
        for (String part : List.of("train", "val")) {
            boolean isTest = part.equals("val");
            for (int i = 0; i < (isTest ? TEST : train); i++) {
                TwinDrawing drawing = TwinDrawing.of(List.of(i % SHAPES), isTest, random);
                write(
                        folder.resolve(part)
                                .resolve("n%08d".formatted(i % SHAPES + 1))
                                .resolve("%s_%d.png".formatted(part, i)),
                        drawing.drawn(SIDE, random));
            }
        }
        TwinMarker.write(folder, "ImageNet", seed);
    }

    /** Writes VTAB-1k's lists into an empty folder; all tasks ask about the same pictures. */
    static void vtab(Path folder, long seed, int train) {
        Random random = new Random(seed);
        List<TwinDrawing> drawings = new ArrayList<>();
        for (int i = 0; i < train + TEST; i++) {
            List<Integer> alike = Collections.nCopies(1 + random.nextInt(4), random.nextInt(SHAPES));
            drawings.add(TwinDrawing.of(alike, i >= train, random));
            write(
                    folder.resolve("pictures").resolve(i + ".png"),
                    drawings.get(i).drawn(SIDE, random));
        }
        int validated = train / 5;
        for (SuiteTask task : Vtab.all()) {
            list(task, folder, "train800", drawings, 0, train - validated);
            list(task, folder, "val200", drawings, train - validated, train);
            list(task, folder, "test", drawings, train, train + TEST);
        }
        TwinMarker.write(folder, "VTAB-1k", seed);
    }

    private static void list(SuiteTask task, Path folder, String part, List<TwinDrawing> all, int from, int to) {
        StringBuilder lines = new StringBuilder();
        IntStream.range(from, to)
                .forEach(i -> lines.append("../pictures/%d.png %d\n".formatted(i, answer(task, all.get(i)))));
        AtomicWrite.text(task.file(folder, part), lines.toString());
    }

    /** Returns the answer of a task: the shape, and in structured tasks how many there are, how large or where. */
    private static int answer(SuiteTask task, TwinDrawing drawing) {
        return switch (task.title()) {
            case "clevr_count" -> drawing.shapes().size() - 1;
            case "clevr_dist", "dmlab", "kitti" -> (int) ((drawing.size() - 0.5) * 10);
            case "dsprites_loc", "dsprites_ori" -> (int) (drawing.place() * 4);
            case "smallnorb_azi", "smallnorb_ele" -> (int) (drawing.height() * 4);
            default -> drawing.shapes().get(0);
        };
    }

    private static void write(Path file, BufferedImage picture) {
        try {
            Files.createDirectories(Objects.requireNonNull(file.getParent()));
            ImageIO.write(picture, "png", file.toFile());
        } catch (IOException e) {
            throw new FileAccessException("cannot write " + file, e);
        }
    }
}
