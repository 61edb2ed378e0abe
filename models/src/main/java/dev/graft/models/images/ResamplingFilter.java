package dev.graft.models.images;

import dev.graft.formats.Fields;

/** The filters that interpolate pixels; the numbers are those of PIL, which {@code preprocessor_config.json} uses. */
public enum ResamplingFilter {
    NEAREST(0, 0) {
        @Override
        double weight(double x) {
            throw new UnsupportedOperationException("the nearest point has no weights");
        }
    },
    LANCZOS(1, 3) {
        @Override
        double weight(double x) {
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
        }

        private static double sinc(double x) {
            return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
        }
    },
    BILINEAR(2, 1) {
        @Override
        double weight(double x) {
            return Math.max(0, 1 - Math.abs(x));
        }
    },
    /** Keys' cubic with a = -1/2. */
    BICUBIC(3, 2) {
        @Override
        double weight(double x) {
            double d = Math.abs(x);
            if (d < 1) {
                return (1.5 * d - 2.5) * d * d + 1;
            }
            return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
        }
    };

    private final int number;
    final double support;

    ResamplingFilter(int number, double support) {
        this.number = number;
        this.support = support;
    }

    /** Returns the weight of a pixel at that distance. */
    abstract double weight(double x);

    /** Reads the filter that a field names by the number of PIL. */
    static ResamplingFilter read(Fields f, String field, ResamplingFilter absent) {
        int number = f.integer(field, absent.number, 0);
        for (ResamplingFilter filter : values()) {
            if (filter.number == number) {
                return filter;
            }
        }
        throw f.invalid(field, "0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)");
    }
}
