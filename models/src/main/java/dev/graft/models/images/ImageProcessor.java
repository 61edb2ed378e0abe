package dev.graft.models.images;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Converts pictures to the inputs of a model, as configured by its {@code preprocessor_config.json}: resize, crop the
 * centre, scale, normalise.
 *
 * <pre>{@code
 * ImageProcessor processor = ImageProcessor.read(model.resolve("preprocessor_config.json"));
 * Inputs in = Inputs.images(processor.pixels(List.of(Picture.read(Path.of("cat.jpg")))));
 * }</pre>
 *
 * @param size the size to resize to; null to keep that of each picture
 * @param crop the size to crop to; null for no crop
 * @param factor the multiplier of bytes
 * @param mean the mean of each channel, subtracted after the scaling
 * @param std the standard deviation of each channel, the divisor
 */
public record ImageProcessor(
        @Nullable Size size,
        ResamplingFilter filter,
        @Nullable Size crop,
        double factor,
        List<Double> mean,
        List<Double> std) {
    private static final int LONGEST_SIDE = 1 << 13;

    /**
     * A target size.
     *
     * @param shortest the length of the shorter side, to which the longer one is proportional; 0 if width and height
     *     are set
     */
    public record Size(int width, int height, int shortest) {
        private static Size read(Fields f, String field, boolean shortestByDefault) {
            if (!isObject(f, field)) {
                int side = side(f, field);
                return shortestByDefault ? new Size(0, 0, side) : new Size(side, side, 0);
            }
            Fields sides = f.object(field);
            if (sides.has("shortest_edge")) {
                if (sides.has("longest_edge")) {
                    throw sides.invalid("longest_edge", "nothing beside shortest_edge");
                }
                return new Size(0, 0, side(sides, "shortest_edge"));
            }
            return new Size(side(sides, "width"), side(sides, "height"), 0);
        }

        private static int side(Fields f, String field) {
            int side = f.integer(field, 1, 1);
            if (side > LONGEST_SIDE) {
                throw f.invalid(field, "at most " + LONGEST_SIDE);
            }
            return side;
        }

        private static boolean isObject(Fields f, String field) {
            JsonNode value = f.node(field);
            return value != null && value.isObject();
        }

        /** Returns the new width and height of a picture. */
        private Size of(int fromWidth, int fromHeight) {
            if (shortest == 0) {
                return this;
            }
            long longer = (long) shortest * Math.max(fromWidth, fromHeight) / Math.min(fromWidth, fromHeight);
            if (longer * shortest > Picture.MOST_POINTS) {
                throw new InputException("a picture of " + fromWidth + "x" + fromHeight + " points comes to " + longer
                        + " times " + shortest + " points at a shorter side of " + shortest
                        + ", more than are made: cut it first");
            }
            int side = (int) longer;
            return fromWidth <= fromHeight ? new Size(shortest, side, 0) : new Size(side, shortest, 0);
        }
    }

    public ImageProcessor {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
    }

    /** Reads a {@code preprocessor_config.json}. */
    public static ImageProcessor read(Path file) {
        return read(Fields.read(file));
    }

    static ImageProcessor read(Fields f) {
        boolean crops = f.bool("do_center_crop", f.has("crop_size"));
        boolean normalises = f.bool("do_normalize", f.has("image_mean"));
        boolean scales = f.bool("do_rescale", true);
        return new ImageProcessor(
                f.bool("do_resize", f.has("size")) ? Size.read(f, "size", crops) : null,
                ResamplingFilter.read(f, "resample", ResamplingFilter.BILINEAR),
                crops ? Size.read(f, "crop_size", false) : null,
                scales ? f.number("rescale_factor", 1 / 255.0) : 1,
                normalises ? channels(f, "image_mean") : List.of(0.0, 0.0, 0.0),
                normalises ? channels(f, "image_std") : List.of(1.0, 1.0, 1.0));
    }

    private static List<Double> channels(Fields f, String field) {
        List<Double> values = f.list(field).stream().map(JsonNode::doubleValue).toList();
        if (values.size() != 3) {
            throw f.invalid(field, "three numbers, for red, green and blue");
        }
        return values;
    }

    /** Returns the picture in the input size of the model. */
    public Picture fit(Picture picture) {
        Picture resized = picture;
        if (size != null) {
            Size to = size.of(picture.width(), picture.height());
            resized = ImageResizer.resize(picture, to.width, to.height, filter);
        }
        return crop == null ? resized : resized.crop(crop.width, crop.height);
    }

    /** Returns the width and height of the model input for a picture of this size. */
    public Size size(int width, int height) {
        Size own = new Size(width, height, 0);
        return crop != null ? crop : size != null ? size.of(width, height) : own;
    }

    /**
     * Returns a processor for models that predict a value for every pixel. It resizes the whole picture to the crop
     * size instead of cropping it.
     */
    public ImageProcessor whole() {
        return crop == null ? this : new ImageProcessor(crop, filter, null, factor, mean, std);
    }

    /** Returns a mask in the size of its picture without the crop. Every pixel has the number of the nearest one. */
    public Picture fitMask(Picture mask) {
        Size to = size(mask.width(), mask.height());
        return ImageResizer.resize(mask, to.width, to.height, ResamplingFilter.NEAREST);
    }

    /** Returns one picture as {@code [3, height, width]}, row-major. */
    public float[] values(Picture picture) {
        Picture p = fit(picture);
        float[] values = new float[3 * p.width() * p.height()];
        for (int c = 0; c < 3; c++) {
            for (int y = 0; y < p.height(); y++) {
                for (int x = 0; x < p.width(); x++) {
                    double scaled = p.value(x, y, c) * factor;
                    values[(c * p.height() + y) * p.width() + x] = (float) ((scaled - mean.get(c)) / std.get(c));
                }
            }
        }
        return values;
    }

    /** Returns pictures as {@code [pictures, 3, height, width]}; their final sizes must be equal. */
    public Tensor pixels(List<Picture> pictures) {
        Picture first = fit(pictures.get(0));
        int each = 3 * first.width() * first.height();
        float[] all = new float[pictures.size() * each];
        for (int i = 0; i < pictures.size(); i++) {
            float[] values = values(pictures.get(i));
            if (values.length != each) {
                throw new IllegalArgumentException("pictures of several sizes don't make a batch");
            }
            System.arraycopy(values, 0, all, i * each, each);
        }
        return Tensors.of(all, pictures.size(), 3, first.height(), first.width());
    }
}
