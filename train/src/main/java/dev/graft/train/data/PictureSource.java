package dev.graft.train.data;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.images.Picture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A picture of a data set; it is read each time it is asked for, so that a large set need not be in memory. */
public interface PictureSource {
    /** Where it is, such as {@code cats/17.jpg}. */
    String name();

    /** What is stored: equal for equal pictures. */
    byte[] bytes();

    /**
     * Reads it.
     *
     * @throws FormatException naming it if it is damaged
     */
    Picture read();

    /** A PNG, JPEG, GIF, WebP or BMP file. */
    static PictureSource of(Path file) {
        record File(Path path) implements PictureSource {
            @Override
            public String name() {
                return path.toString();
            }

            @Override
            public byte[] bytes() {
                try {
                    return Files.readAllBytes(path);
                } catch (IOException e) {
                    throw new InputException("cannot read " + path + ": " + e, e);
                }
            }

            @Override
            public Picture read() {
                return Picture.of(bytes(), name());
            }
        }
        return new File(file);
    }
}
