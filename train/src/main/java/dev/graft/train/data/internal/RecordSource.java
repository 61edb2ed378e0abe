package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.train.data.PictureSource;
import java.nio.file.Path;
import tools.jackson.databind.node.ObjectNode;

/** The records of a data set by their numbers: objects with the fields of a row. Safe for use by several threads. */
public interface RecordSource extends AutoCloseable {
    int size();

    /** Returns the format in words. */
    String format();

    /** Returns whether all fields are text, as in CSV, so that numbers must be recognised by their form. */
    boolean isTextOnly();

    /** Returns the SHA-256 of everything that was read. */
    String sha256();

    /** Returns the place of a record, such as {@code train.jsonl:17}. */
    String place(int index);

    ObjectNode get(int index);

    /** Returns the picture that a record names. */
    PictureSource picture(String name, String place);

    /** Returns the file of the recording that a record names. */
    default Path sound(String name, String place) {
        throw new FormatException(place, "has pictures alone", null);
    }

    @Override
    void close();
}
