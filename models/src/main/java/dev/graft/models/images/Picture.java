package dev.graft.models.images;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.function.Function;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * Red, green and blue of every pixel, as bytes from 0 to 255: row after row, three per pixel. Transparency is dropped,
 * as by PIL's {@code convert("RGB")}.
 *
 * <pre>{@code
 * Picture cat = ImageResizer.resize(Picture.read(Path.of("cat.jpg")), 224, 224, ResamplingFilter.BICUBIC);
 * }</pre>
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract
public record Picture(int width, int height, byte[] rgb) {
    /**
     * The maximum number of pixels that a file may declare. A larger picture is an attack on memory, not an input for a
     * model.
     */
    static final long MOST_POINTS = 1L << 27;

    private static final long PNG = 0x89504E470D0A1A0AL;

    public Picture {
        if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(width + " by " + height + " points need three bytes each");
        }
    }

    /**
     * Reads a PNG, JPEG, GIF or WebP (the first picture), or BMP file and rotates it by its EXIF orientation.
     *
     * @throws FormatException if it is none of them, damaged or too large
     */
    public static Picture read(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
        return of(bytes, file.toString());
    }

    /** Reads the bytes of a file; the name is for messages. */
    public static Picture of(byte[] bytes, String name) {
        return decoded(bytes, name, image -> of(image).turned(ExifOrientation.of(bytes)));
    }

    /**
     * Reads a mask, which has a number in place of a colour at each pixel: a PNG, grey or with a palette, of up to 8
     * bits. Every channel has the numbers.
     *
     * @throws FormatException if it is not such a PNG, is damaged or too large
     */
    public static Picture mask(byte[] bytes, String name) {
        if (bytes.length < 8 || ByteBuffer.wrap(bytes).getLong(0) != PNG) {
            throw new FormatException(
                    name, "is no mask: expected a PNG, since others lose the numbers of points", null);
        }
        return decoded(bytes, name, image -> {
            if (image.getRaster().getNumBands() != 1 || image.getColorModel().getPixelSize() > Byte.SIZE) {
                throw new FormatException(
                        name,
                        "is no mask: expected one number up to 255 at each point, grey or by a palette, found "
                                + image.getRaster().getNumBands() + " channels of "
                                + image.getRaster().getSampleModel().getSampleSize(0) + " bits",
                        null);
            }
            return grey(image);
        });
    }

    private static Picture decoded(byte[] bytes, String name, Function<BufferedImage, Picture> made) {
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
                return made.apply(reader.read(0));
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
        // Grey values are read as they are: colour management would bend them.
        boolean grey = image.getRaster().getNumBands() <= 2
                && image.getColorModel().getComponentSize(0) == Byte.SIZE
                && !(image.getColorModel() instanceof java.awt.image.IndexColorModel);
        if (grey) {
            return grey(image);
        }
        int width = image.getWidth();
        int height = image.getHeight();
        byte[] rgb = new byte[3 * width * height];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int at = 3 * (y * width + x);
                int point = image.getRGB(x, y);
                rgb[at] = (byte) (point >> 16);
                rgb[at + 1] = (byte) (point >> 8);
                rgb[at + 2] = (byte) point;
            }
        }
        return new Picture(width, height, rgb);
    }

    private static Picture grey(BufferedImage image) {
        int width = image.getWidth();
        byte[] values = new byte[width * image.getHeight()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (byte) image.getRaster().getSample(i % width, i / width, 0);
        }
        return grey(width, image.getHeight(), values);
    }

    /** Returns a picture whose channels are equal: {@code [height, width]}. */
    public static Picture grey(int width, int height, byte[] values) {
        byte[] rgb = new byte[3 * values.length];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = values[i / 3];
        }
        return new Picture(width, height, rgb);
    }

    /** Returns the first channel, {@code [height, width]}. */
    public byte[] values() {
        byte[] values = new byte[width * height];
        for (int i = 0; i < values.length; i++) {
            values[i] = rgb[3 * i];
        }
        return values;
    }

    /** Returns the first channel as a grey PNG file. */
    public byte[] greyPng() {
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY);
        image.getRaster().setDataElements(0, 0, width, height, values());
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** Returns the value of a channel from 0 to 255: channel 0 is red, 1 green, 2 blue. */
    public int value(int x, int y, int channel) {
        return rgb[3 * (y * width + x) + channel] & 0xFF;
    }

    /** Returns the upright picture. */
    private Picture turned(ExifOrientation orientation) {
        if (orientation.isUpright()) {
            return this;
        }
        boolean lying = orientation.isLying();
        int seenWidth = lying ? height : width;
        int seenHeight = lying ? width : height;
        byte[] out = new byte[rgb.length];
        for (int y = 0; y < seenHeight; y++) {
            for (int x = 0; x < seenWidth; x++) {
                int fromX = lying ? y : x;
                int fromY = lying ? x : y;
                fromX = orientation.mirrorsX() ? width - 1 - fromX : fromX;
                fromY = orientation.mirrorsY() ? height - 1 - fromY : fromY;
                System.arraycopy(rgb, 3 * (fromY * width + fromX), out, 3 * (y * seenWidth + x), 3);
            }
        }
        return new Picture(seenWidth, seenHeight, out);
    }

    /** Returns the centre of the picture, with black around it where the picture is smaller. */
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
