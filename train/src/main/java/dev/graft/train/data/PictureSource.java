package dev.graft.train.data;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.images.Picture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A picture of a data set, read at each use, so that a large data set need not be in memory. */
public interface PictureSource {
    /** Returns its place, such as {@code cats/17.jpg}. */
    String name();

    /** Returns bytes that identify it: equal for equal pictures. */
    byte[] bytes();

    /**
     * Decodes the picture.
     *
     * @throws FormatException naming the file if it is damaged
     */
    Picture read();

    /** Creates the source of a PNG, JPEG, GIF, WebP or BMP file. */
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
