package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.models.images.Picture;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The binary version of CIFAR-10 (a label and 32 by 32 points a row, in five files to train on and one to test on) and of CIFAR-100
 * (a coarse and a fine label). A row has all red bytes, then all green, then all blue. Labels have the names of
 * {@code batches.meta.txt}, or of {@code coarse_label_names.txt} and {@code fine_label_names.txt}, where these are beside the files.
 */
final class Cifar extends PictureArchive {
    private static final int SIDE = 32;
    private static final int POINTS = SIDE * SIDE;

    private final List<ArchiveFile> files;
    private final int labels;
    private final int perFile;
    private final int size;
    private final List<String> names;
    private final List<String> coarseNames;

    private Cifar(List<ArchiveFile> files, boolean hundred, Path folder) {
        this.files = files;
        labels = hundred ? 2 : 1;
        names = names(folder.resolve(hundred ? "fine_label_names.txt" : "batches.meta.txt"));
        coarseNames = hundred ? names(folder.resolve("coarse_label_names.txt")) : List.of();
        long all = 0;
        for (ArchiveFile file : files) {
            if (file.size() % row() != 0 || file.size() != files.get(0).size()) {
                throw new FormatException(
                        file.path(),
                        "has " + file.size() + " bytes, expected a multiple of the " + row() + " of a row of CIFAR-"
                                + (hundred ? 100 : 10) + ", the same in every file: it is damaged");
            }
            all += file.size() / row();
        }
        perFile = Math.toIntExact(files.get(0).size() / row());
        size = Math.toIntExact(all);
    }

    private int row() {
        return labels + 3 * POINTS;
    }

    private static List<String> names(Path file) {
        try {
            return Files.isRegularFile(file)
                    ? Files.readAllLines(file).stream()
                            .map(String::strip)
                            .filter(name -> !name.isEmpty())
                            .toList()
                    : List.of();
        } catch (IOException e) {
            throw new FormatException(file.toString(), "cannot be read: " + e, e);
        }
    }

    private static boolean isHundred(Path file) {
        return !file.getFileName().toString().contains("_batch");
    }

    /** Returns whether a file has the name of one of CIFAR's. */
    static boolean isOne(Path file) {
        return file.getFileName().toString().matches("data_batch_[1-5]\\.bin|test_batch\\.bin|(train|test)\\.bin");
    }

    /** Returns whether a folder has the training files of CIFAR-10. */
    static boolean isTenOf(Path folder) {
        return Files.isRegularFile(folder.resolve("data_batch_1.bin"));
    }

    static @Nullable SplitFiles in(Path folder) {
        boolean ten = isTenOf(folder);
        Path train = ten ? folder : folder.resolve("train.bin");
        Path test = folder.resolve(ten ? "test_batch.bin" : "test.bin");
        return ten || Files.isRegularFile(train)
                ? new SplitFiles(train, Files.isRegularFile(test) ? test : null)
                : null;
    }

    /** Opens one file, or the training files of a folder. */
    static Cifar open(Path path) {
        List<Path> paths = Files.isDirectory(path)
                ? IntStream.rangeClosed(1, 5)
                        .mapToObj(i -> path.resolve("data_batch_" + i + ".bin"))
                        .toList()
                : List.of(path);
        List<ArchiveFile> files = new ArrayList<>();
        boolean complete = false;
        try {
            paths.forEach(file -> files.add(ArchiveFile.open(file)));
            Path first = paths.get(0);
            Cifar cifar = new Cifar(files, isHundred(first), first.resolveSibling(""));
            complete = true;
            return cifar;
        } finally {
            if (!complete) {
                files.forEach(ArchiveFile::close);
            }
        }
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String format() {
        return labels == 1 ? "CIFAR-10" : "CIFAR-100";
    }

    @Override
    PictureLocation spot(int index) {
        return new PictureLocation(files.get(index / perFile), index % perFile);
    }

    @Override
    ByteBuffer stored(PictureLocation location) {
        return location.file().read((long) location.number() * row() + labels, 3 * POINTS);
    }

    @Override
    Picture picture(ByteBuffer stored) {
        byte[] rgb = new byte[3 * POINTS];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = stored.get(i % 3 * POINTS + i / 3);
        }
        return new Picture(SIDE, SIDE, rgb);
    }

    @Override
    void label(PictureLocation location, ObjectNode record) {
        ByteBuffer read = location.file().read((long) location.number() * row(), labels);
        record.put("label", named(names, read.get(labels - 1) & 0xFF, location));
        if (labels == 2) {
            record.put("coarse_label", named(coarseNames, read.get(0) & 0xFF, location));
        }
    }

    @Override
    List<ArchiveFile> files() {
        return files;
    }
}
