package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.Sha256;
import dev.graft.models.images.Picture;
import dev.graft.train.data.PictureSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Pictures of one size with their labels in files without a directory. */
public abstract class PictureArchive implements RecordSource {

    /** A folder's pictures to train on, and those to test on. */
    public record SplitFiles(Path train, @Nullable Path test) {}

    /** The file that a picture is in, and its number there. */
    record PictureLocation(ArchiveFile file, int number) {
        String name() {
            return file.path() + ", picture " + (number + 1);
        }
    }

    abstract PictureLocation spot(int index);

    /** The bytes of a picture, without its label. */
    abstract ByteBuffer stored(PictureLocation location);

    /** The points of a picture: red, green and blue one after another. */
    abstract Picture picture(ByteBuffer stored);

    abstract void label(PictureLocation location, ObjectNode record);

    abstract List<ArchiveFile> files();

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
        PictureLocation location = spot(Integer.parseInt(name));
        return new PictureSource() {
            @Override
            public String name() {
                return location.name();
            }

            @Override
            public byte[] bytes() {
                ByteBuffer bytes = stored(location);
                byte[] copy = new byte[bytes.remaining()];
                bytes.get(copy);
                return copy;
            }

            @Override
            public Picture read() {
                return picture(stored(location));
            }
        };
    }

    @Override
    public void close() {
        files().forEach(ArchiveFile::close);
    }

    /** The name of a class by its number in the file. */
    static String named(List<String> names, int number, PictureLocation location) {
        if (names.isEmpty()) {
            return Integer.toString(number);
        }
        if (number >= names.size()) {
            throw new FormatException(
                    location.name(), "has the label " + number + ", but there are " + names.size() + " names", null);
        }
        return names.get(number);
    }
}
