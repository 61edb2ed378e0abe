package dev.graft.models.images;

import dev.graft.formats.FormatException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * Red, green and blue of every point, as bytes from 0 to 255: row after row, three to a point. Transparency is dropped, as PIL's
 * {@code convert("RGB")} does.
 *
 * <pre>{@code
 * Picture cat = Picture.read(Path.of("cat.jpg")).resize(224, 224, Filter.BICUBIC);
 * }</pre>
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract
public record Picture(int width, int height, byte[] rgb) {
    /** The most points that a file may declare: more is no picture for a model but an attack on memory. */
    static final long MOST_POINTS = 1L << 27;

    public Picture {
        if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(width + " by " + height + " points need three bytes each");
        }
    }

    /**
     * Reads a PNG, JPEG, GIF or WebP (the first picture), or BMP file and turns it as its EXIF orientation says.
     *
     * @throws FormatException if it is none of them, damaged or too large
     */
    public static Picture read(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file + ": " + e.getMessage(), e);
        }
        return of(bytes, file.toString());
    }

    /** Reads the bytes of a file; the name is for messages. */
    public static Picture of(byte[] bytes, String name) {
        try (ImageInputStream in = ImageIO.createImageInputStream(new ByteArrayInputStream(bytes))) {
            Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
            if (!readers.hasNext()) {
                throw new FormatException(
                        name, "is no picture that can be read: expected PNG, JPEG, GIF, WebP or BMP", null);
            }
            ImageReader reader = readers.next();
            try {
                reader.setInput(in, true, false);
                long points = (long) reader.getWidth(0) * reader.getHeight(0);
                if (points > MOST_POINTS) {
                    throw new FormatException(
                            name, "has " + points + " points, at most " + MOST_POINTS + " are read", null);
                }
                return Orientation.of(bytes).turn(of(reader.read(0)));
            } finally {
                reader.dispose();
            }
        } catch (FormatException known) {
            throw known;
        } catch (IOException | RuntimeException damaged) {
            // Decoders throw anything at damaged files.
            throw new FormatException(name, "is a damaged picture: " + damaged.getMessage(), damaged);
        }
    }

    private static Picture of(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        byte[] rgb = new byte[3 * width * height];
        // Grey values are read as they are: colour management would bend them.
        boolean grey = image.getRaster().getNumBands() <= 2
                && image.getColorModel().getComponentSize(0) == Byte.SIZE
                && !(image.getColorModel() instanceof java.awt.image.IndexColorModel);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int at = 3 * (y * width + x);
                if (grey) {
                    byte value = (byte) image.getRaster().getSample(x, y, 0);
                    rgb[at] = value;
                    rgb[at + 1] = value;
                    rgb[at + 2] = value;
                } else {
                    int point = image.getRGB(x, y);
                    rgb[at] = (byte) (point >> 16);
                    rgb[at + 1] = (byte) (point >> 8);
                    rgb[at + 2] = (byte) point;
                }
            }
        }
        return new Picture(width, height, rgb);
    }

    /** The value from 0 to 255 of a channel: 0 red, 1 green, 2 blue. */
    public int value(int x, int y, int channel) {
        return rgb[3 * (y * width + x) + channel] & 0xFF;
    }

    /** The picture in another size, to the byte as PIL makes it. */
    public Picture resize(int newWidth, int newHeight, Filter filter) {
        return Resampling.resize(this, newWidth, newHeight, filter);
    }

    /** The middle of the picture, with black around it where it is smaller. */
    public Picture crop(int newWidth, int newHeight) {
        int left = Math.floorDiv(width - newWidth, 2);
        int top = Math.floorDiv(height - newHeight, 2);
        byte[] cut = new byte[3 * newWidth * newHeight];
        for (int y = Math.max(0, -top); y < Math.min(newHeight, height - top); y++) {
            int first = Math.max(0, -left);
            int count = Math.min(newWidth, width - left) - first;
            System.arraycopy(rgb, 3 * ((y + top) * width + first + left), cut, 3 * (y * newWidth + first), 3 * count);
        }
        return new Picture(newWidth, newHeight, cut);
    }
}
