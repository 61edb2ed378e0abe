package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.train.data.PictureSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import tools.jackson.databind.node.ObjectNode;

/** The records of a data set by their numbers: objects with the fields of a row. Safe for use by several threads. */
public interface Records extends AutoCloseable {
    int size();

    /** The format in words. */
    String format();

    /** Whether fields are text only, so that numbers must be told from their look. */
    boolean isTextOnly();

    /** Of everything that was read. */
    String sha256();

    /** Where a record is, such as {@code train.jsonl:17}. */
    String place(int index);

    ObjectNode get(int index);

    /** The picture that a record names. */
    PictureSource picture(String name, String place);

    /** The recording that a record names. */
    default Path sound(String name, String place) {
        throw new FormatException(place, "has pictures alone", null);
    }

    @Override
    void close();

    /**
     * Opens what is at a path, whatever its format.
     *
     * @param visitor sees every record with its number, in order
     * @throws dev.graft.formats.InputException naming the line or the file that breaks the format
     */
    static Records open(Path path, BiConsumer<Records, ObjectNode> visitor) {
        boolean packed = PackedPictures.areIn(path);
        if (!packed && !Files.isDirectory(path)) {
            return RecordFile.open(path, visitor);
        }
        Records records = packed ? PackedPictures.open(path) : PictureFolder.open(path);
        for (int i = 0; i < records.size(); i++) {
            visitor.accept(records, records.get(i));
        }
        return records;
    }
}
