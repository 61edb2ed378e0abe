package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.Sha256;
import dev.graft.models.images.Picture;
import dev.graft.train.data.PictureSource;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Pictures of one size with their labels in files without a directory: {@link Idx}, {@link Cifar}. */
public abstract class PackedPictures implements Records {

    /** A folder's pictures to train on, and those to test on. */
    public record Parts(Path train, @Nullable Path test) {}

    /** The pictures that a folder holds in such files, or null. */
    public static @Nullable Parts parts(Path folder) {
        Parts idx = Idx.in(folder);
        return idx == null ? Cifar.in(folder) : idx;
    }

    static boolean areIn(Path path) {
        return Files.isDirectory(path)
                ? Cifar.isTenOf(path)
                : Files.exists(path) && (Idx.isOne(path) || Cifar.isOne(path));
    }

    static PackedPictures open(Path path) {
        if (!Files.isDirectory(path) && Idx.isOne(path)) {
            return Idx.open(path);
        }
        return Cifar.open(path);
    }

    /** The file that a picture is in, and its number there. */
    record Spot(PackedFile file, int number) {
        String name() {
            return file.path() + ", picture " + (number + 1);
        }
    }

    abstract Spot spot(int index);

    /** The bytes of a picture, without its label. */
    abstract ByteBuffer stored(Spot spot);

    /** The points of a picture: red, green and blue one after another. */
    abstract Picture picture(ByteBuffer stored);

    abstract void label(Spot spot, ObjectNode record);

    abstract List<PackedFile> files();

    @Override
    public boolean isTextOnly() {
        return false;
    }

    @Override
    public String sha256() {
        return Sha256.of(IntStream.range(0, size())
                .mapToObj(
                        index -> picture(Integer.toString(index), place(index)).bytes()));
    }

    @Override
    public String place(int index) {
        return spot(index).name();
    }

    @Override
    public ObjectNode get(int index) {
        ObjectNode record = JsonNodeFactory.instance.objectNode();
        record.put("image", Integer.toString(index));
        label(spot(index), record);
        return record;
    }

    @Override
    public PictureSource picture(String name, String place) {
        Spot spot = spot(Integer.parseInt(name));
        return new PictureSource() {
            @Override
            public String name() {
                return spot.name();
            }

            @Override
            public byte[] bytes() {
                ByteBuffer bytes = stored(spot);
                byte[] copy = new byte[bytes.remaining()];
                bytes.get(copy);
                return copy;
            }

            @Override
            public Picture read() {
                return picture(stored(spot));
            }
        };
    }

    @Override
    public void close() {
        files().forEach(PackedFile::close);
    }

    /** The name of a class by its number in the file. */
    static String named(List<String> names, int number, Spot spot) {
        if (names.isEmpty()) {
            return Integer.toString(number);
        }
        if (number >= names.size()) {
            throw new FormatException(
                    spot.name(), "has the label " + number + ", but there are " + names.size() + " names", null);
        }
        return names.get(number);
    }
}
