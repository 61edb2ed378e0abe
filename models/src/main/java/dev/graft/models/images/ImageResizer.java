package dev.graft.models.images;

/**
 * PIL's resize: first the rows, then the columns. Each pixel is a weighted sum under a filter, whose width covers all
 * pixels that are merged into one. The sums are fixed-point with 22 fractional bits and are rounded to bytes after
 * either step.
 */
public final class ImageResizer {
    private static final int BITS = 22;

    private ImageResizer() {}

    /**
     * The source pixels of each new one: {@code size} weights for each, from {@code first[i]} on, {@code count[i]} of
     * them used.
     */
    @SuppressWarnings("ArrayRecordComponent") // made and used here
    private record Weights(int[] first, int[] count, int[] values, int size) {
        static Weights of(int from, int to, ResamplingFilter filter) {
            double scale = (double) from / to;
            double wide = Math.max(scale, 1);
            double support = filter.support * wide;
            int size = (int) Math.ceil(support) * 2 + 1;
            int[] first = new int[to];
            int[] count = new int[to];
            int[] values = new int[to * size];
            double[] exact = new double[size];
            for (int i = 0; i < to; i++) {
                double centre = (i + 0.5) * scale;
                int begin = Math.max(0, (int) (centre - support + 0.5));
                int end = Math.min(from, (int) (centre + support + 0.5));
                double sum = 0;
                for (int k = 0; k < end - begin; k++) {
                    exact[k] = filter.weight((k + begin - centre + 0.5) * (1 / wide));
                    sum += exact[k];
                }
                for (int k = 0; k < end - begin; k++) {
                    double share = (sum == 0 ? exact[k] : exact[k] / sum) * (1 << BITS);
                    values[i * size + k] = (int) (share < 0 ? share - 0.5 : share + 0.5);
                }
                first[i] = begin;
                count[i] = end - begin;
            }
            return new Weights(first, count, values, size);
        }

        /** Returns the new pixel i of values with this stride. */
        byte at(int i, byte[] bytes, int start, int stride) {
            long sum = 1L << (BITS - 1);
            for (int k = 0; k < count[i]; k++) {
                sum += (long) (bytes[start + (first[i] + k) * stride] & 0xFF) * values[i * size + k];
            }
            return (byte) Math.min(255, Math.max(0, sum >> BITS));
        }
    }

    public static Picture resize(Picture picture, int width, int height, ResamplingFilter filter) {
        if (filter == ResamplingFilter.NEAREST) {
            return nearest(picture, width, height);
        }
        Picture wide = width == picture.width() ? picture : rows(picture, width, filter);
        return height == picture.height() ? wide : columns(wide, height, filter);
    }

    private static Picture rows(Picture p, int width, ResamplingFilter filter) {
        Weights weights = Weights.of(p.width(), width, filter);
        byte[] out = new byte[3 * width * p.height()];
        for (int y = 0; y < p.height(); y++) {
            for (int x = 0; x < width; x++) {
                for (int c = 0; c < 3; c++) {
                    out[3 * (y * width + x) + c] = weights.at(x, p.rgb(), 3 * y * p.width() + c, 3);
                }
            }
        }
        return new Picture(width, p.height(), out);
    }

    private static Picture columns(Picture p, int height, ResamplingFilter filter) {
        Weights weights = Weights.of(p.height(), height, filter);
        byte[] out = new byte[3 * p.width() * height];
        for (int y = 0; y < height; y++) {
            for (int i = 0; i < 3 * p.width(); i++) {
                out[3 * y * p.width() + i] = weights.at(y, p.rgb(), i, 3 * p.width());
            }
        }
        return new Picture(p.width(), height, out);
    }

    private static Picture nearest(Picture p, int width, int height) {
        byte[] out = new byte[3 * width * height];
        for (int y = 0; y < height; y++) {
            int fromY = Math.min(p.height() - 1, (int) ((y + 0.5) * p.height() / height));
            for (int x = 0; x < width; x++) {
                int fromX = Math.min(p.width() - 1, (int) ((x + 0.5) * p.width() / width));
                System.arraycopy(p.rgb(), 3 * (fromY * p.width() + fromX), out, 3 * (y * width + x), 3);
            }
        }
        return new Picture(width, height, out);
    }
}
