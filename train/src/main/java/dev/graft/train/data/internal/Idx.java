package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.models.images.Picture;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * MNIST's files: {@code train-images-idx3-ubyte} with the pictures and {@code train-labels-idx1-ubyte} with their labels, plain or
 * gzipped. A file begins with two zeros, the type (8: bytes), the number of dimensions, and the dimensions as big-endian int32;
 * pictures are {@code [pictures, height, width]} of grey, or {@code [pictures, height, width, 3]}.
 */
final class Idx extends PictureArchive {
    private static final int BYTES = 0x0800;
    private static final long MOST_POINTS = 1 << 24;

    private final ArchiveFile pictures;
    private final ArchiveFile labels;
    private final int size;
    private final int height;
    private final int width;
    private final int channels;

    private Idx(ArchiveFile pictures, ArchiveFile labels) {
        this.pictures = pictures;
        this.labels = labels;
        int rank = rank(pictures);
        if (rank != 3 && rank != 4) {
            throw new FormatException(
                    pictures.path(), "has " + rank + " dimensions, expected pictures, height, width and perhaps 3");
        }
        size = dimension(pictures, 0);
        height = dimension(pictures, 1);
        width = dimension(pictures, 2);
        channels = rank == 3 ? 1 : dimension(pictures, 3);
        if (height == 0 || width == 0 || (long) height * width > MOST_POINTS || channels != 1 && channels != 3) {
            throw new FormatException(
                    pictures.path(),
                    "has pictures of " + height + " by " + width + " points of " + channels
                            + " bytes, expected 1 or 3 bytes and at most " + MOST_POINTS + " points");
        }
        requireSize(pictures, header(rank) + (long) size * height * width * channels);
        if (rank(labels) != 1 || dimension(labels, 0) != size) {
            throw new FormatException(
                    labels.path(), "has not one label for each of the " + size + " pictures of " + pictures.path());
        }
        requireSize(labels, header(1) + size);
    }

    private static void requireSize(ArchiveFile file, long bytes) {
        if (file.size() != bytes) {
            throw new FormatException(
                    file.path(), "has " + file.size() + " bytes, its dimensions need " + bytes + ": it is damaged");
        }
    }

    private static int header(int rank) {
        return 4 + 4 * rank;
    }

    private static int rank(ArchiveFile file) {
        int magic = file.size() < 4 ? 0 : file.read(0, 4).getInt();
        int rank = magic & 0xFF;
        if (magic >>> 8 != BYTES >>> 8 || rank == 0 || file.size() < header(rank)) {
            throw new FormatException(file.path(), "is no IDX file of bytes");
        }
        return rank;
    }

    private static int dimension(ArchiveFile file, int index) {
        int dimension = file.read(header(index), 4).getInt();
        if (dimension < 0) {
            throw new FormatException(file.path(), "has a dimension of " + dimension);
        }
        return dimension;
    }

    /** Returns whether a file holds pictures so. */
    static boolean isOne(Path file) {
        byte[] head = ArchiveFile.head(file, 4);
        return head.length == 4 && head[0] == 0 && head[1] == 0 && head[2] == 8 && (head[3] == 3 || head[3] == 4);
    }

    static @Nullable SplitFiles in(Path folder) {
        Path train = find(folder, "train");
        return train == null ? null : new SplitFiles(train, find(folder, "t10k"));
    }

    private static @Nullable Path find(Path folder, String part) {
        for (String name : List.of("-images-idx3-ubyte", "-images.idx3-ubyte")) {
            for (String suffix : List.of("", ".gz")) {
                Path file = folder.resolve(part + name + suffix);
                if (Files.isRegularFile(file)) {
                    return file;
                }
            }
        }
        return null;
    }

    static Idx open(Path file) {
        String name = file.getFileName().toString();
        Path labels = file.resolveSibling(
                name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"));
        if (labels.equals(file) || !Files.isRegularFile(labels)) {
            throw new FormatException(
                    file,
                    "has pictures in the IDX format, but their labels are missing: expected "
                            + (labels.equals(file)
                                    ? "names such as train-images-idx3-ubyte and train-labels-idx1-ubyte"
                                    : labels.getFileName() + " beside it"));
        }
        ArchiveFile pictures = ArchiveFile.open(file);
        ArchiveFile opened = null;
        boolean complete = false;
        try {
            opened = ArchiveFile.open(labels);
            Idx idx = new Idx(pictures, opened);
            complete = true;
            return idx;
        } finally {
            if (!complete) {
                pictures.close();
                if (opened != null) {
                    opened.close();
                }
            }
        }
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String format() {
        return "IDX of " + width + "x" + height;
    }

    @Override
    PictureLocation spot(int index) {
        return new PictureLocation(pictures, index);
    }

    @Override
    ByteBuffer stored(PictureLocation location) {
        int each = height * width * channels;
        return pictures.read(header(channels == 1 ? 3 : 4) + (long) location.number() * each, each);
    }

    @Override
    Picture picture(ByteBuffer stored) {
        byte[] rgb = new byte[3 * height * width];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = stored.get(channels == 1 ? i / 3 : i);
        }
        return new Picture(width, height, rgb);
    }

    @Override
    void label(PictureLocation location, ObjectNode record) {
        int label = labels.read(header(1) + (long) location.number(), 1).get() & 0xFF;
        record.put("label", Integer.toString(label));
    }

    @Override
    List<ArchiveFile> files() {
        return List.of(pictures, labels);
    }
}
