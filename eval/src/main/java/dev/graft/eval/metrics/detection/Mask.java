package dev.graft.eval.metrics.detection;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A mask in the run-length encoding of COCO's API: lengths of runs down the columns, alternately outside and inside, the first outside.
 *
 * <pre>{@code
 * Mask mask = Mask.polygon(new double[] {1, 1, 4, 1, 4, 4, 1, 4}, 10, 10);
 * mask.area();   // 9.0
 * }</pre>
 */
public final class Mask implements Region<Mask> {
    private static final int LARGEST = 1 << 15;

    /** The number of points per pixel's side along a polygon's edge. */
    private static final double FINE = 5;

    private final int height;
    private final int width;
    private final int[] runs;
    private final long area;

    private Mask(int height, int width, int[] runs) {
        this.height = height;
        this.width = width;
        this.runs = runs;
        this.area = IntStream.range(0, runs.length / 2)
                .mapToLong(i -> runs[2 * i + 1])
                .sum();
    }

    /**
     * Creates a mask from uncompressed runs.
     *
     * @throws IllegalArgumentException if a run is negative or the runs don't fill the image
     */
    public static Mask of(int height, int width, int... runs) {
        checkSize(height, width);
        long sum = 0;
        for (int run : runs) {
            if (run < 0) {
                throw new IllegalArgumentException("a run of " + run + " pixels");
            }
            sum += run;
        }
        if (sum != (long) height * width) {
            throw new IllegalArgumentException(
                    "runs of " + sum + " pixels, expected " + height + " times " + width + ", those of the image");
        }
        return new Mask(height, width, runs.clone());
    }

    private static void checkSize(int height, int width) {
        if (height < 1 || width < 1 || height > LARGEST || width > LARGEST) {
            throw new IllegalArgumentException(
                    "an image of " + height + " times " + width + " pixels, expected sides from 1 to " + LARGEST);
        }
    }

    /**
     * Creates a mask from COCO's compressed text: five bits a character, lowest first; from the fourth run on, differences to the run two
     * before.
     *
     * @throws IllegalArgumentException if the text isn't in this format, or doesn't fill the image
     */
    public static Mask compressed(int height, int width, String counts) {
        int[] runs = new int[counts.length()];
        int size = 0;
        int at = 0;
        while (at < counts.length()) {
            long run = 0;
            int shift = 0;
            int bits;
            do {
                if (at == counts.length() || shift > 30) {
                    throw new IllegalArgumentException("the counts end in a run");
                }
                bits = counts.charAt(at++) - '0';
                if (bits < 0 || bits > 63) {
                    throw new IllegalArgumentException("the counts have the character " + counts.charAt(at - 1));
                }
                run |= (long) (bits & 31) << shift;
                shift += 5;
            } while ((bits & 32) != 0);
            if ((bits & 16) != 0) {
                run |= -1L << shift;
            }
            run += size > 2 ? runs[size - 2] : 0;
            if (run != (int) run) {
                throw new IllegalArgumentException("a run of " + run + " pixels");
            }
            runs[size++] = (int) run;
        }
        return of(height, width, Arrays.copyOf(runs, size));
    }

    /**
     * Creates the mask of a polygon's inside.
     *
     * @param corners x and y of each corner, in pixels
     * @throws IllegalArgumentException if there are fewer than three, or one is far from the image
     */
    public static Mask polygon(double[] corners, int height, int width) {
        checkSize(height, width);
        int count = corners.length / 2;
        if (count < 3 || corners.length % 2 != 0) {
            throw new IllegalArgumentException(
                    "a polygon of " + corners.length + " numbers, expected x and y of three corners or more");
        }
        int[] x = new int[count + 1];
        int[] y = new int[count + 1];
        for (int i = 0; i < count; i++) {
            x[i] = fine(corners[2 * i], Math.max(height, width));
            y[i] = fine(corners[2 * i + 1], Math.max(height, width));
        }
        x[count] = x[0];
        y[count] = y[0];
        PolygonOutline edge = new PolygonOutline(height, width);
        for (int i = 0; i < count; i++) {
            edge.line(x[i], y[i], x[i + 1], y[i + 1]);
        }
        return edge.inside();
    }

    private static int fine(double coordinate, int side) {
        if (!(Math.abs(coordinate) <= 2 * side)) {
            throw new IllegalArgumentException("a polygon with a corner at " + coordinate);
        }
        return (int) (FINE * coordinate + 0.5);
    }

    /** The places where a polygon's edge crosses from one column of pixels into the next. */
    private static final class PolygonOutline {
        private final int height;
        private final int width;
        private final List<Integer> crossings = new ArrayList<>();
        private boolean started;
        private int lastX;
        private int lastY;

        PolygonOutline(int height, int width) {
            this.height = height;
            this.width = width;
        }

        void line(int fromX, int fromY, int toX, int toY) {
            int dx = Math.abs(toX - fromX);
            int dy = Math.abs(toY - fromY);
            boolean flat = dx >= dy;
            // Drawn from its smaller end, so that a line gives the same points in both directions.
            boolean flipped = flat ? fromX > toX : fromY > toY;
            int startX = flipped ? toX : fromX;
            int startY = flipped ? toY : fromY;
            int endX = flipped ? fromX : toX;
            int endY = flipped ? fromY : toY;
            int steps = Math.max(dx, dy);
            double slope = steps == 0 ? 0 : (double) (flat ? endY - startY : endX - startX) / steps;
            for (int step = 0; step <= steps; step++) {
                int along = flipped ? steps - step : step;
                point(
                        flat ? along + startX : (int) (startX + slope * along + 0.5),
                        flat ? (int) (startY + slope * along + 0.5) : along + startY);
            }
        }

        private void point(int x, int y) {
            if (started && x != lastX) {
                double column = ((x < lastX ? x : x - 1) + 0.5) / FINE - 0.5;
                if (column == Math.floor(column) && column >= 0 && column <= width - 1) {
                    double row = (Math.min(y, lastY) + 0.5) / FINE - 0.5;
                    crossings.add(((int) column) * height + (int) Math.ceil(Math.max(0, Math.min(height, row))));
                }
            }
            started = true;
            lastX = x;
            lastY = y;
        }

        Mask inside() {
            int[] places = crossings.stream().mapToInt(place -> place).sorted().toArray();
            List<Integer> runs = new ArrayList<>();
            int last = 0;
            boolean joins = false;
            for (int i = 0; i <= places.length; i++) {
                int place = i < places.length ? places[i] : height * width;
                int run = place - last;
                last = place;
                if (joins) {
                    runs.set(runs.size() - 1, runs.get(runs.size() - 1) + run);
                    joins = false;
                } else if (run > 0 || runs.isEmpty()) {
                    runs.add(run);
                } else {
                    joins = true;
                }
            }
            return new Mask(height, width, runs.stream().mapToInt(run -> run).toArray());
        }
    }

    /** Returns the union, such as that of the polygons of a partly hidden object. */
    public Mask union(Mask other) {
        checkSame(other);
        List<Integer> joined = new ArrayList<>();
        JointRuns steps = new JointRuns(other);
        boolean inside = false;
        int run = 0;
        while (steps.next()) {
            if ((steps.here || steps.there) != inside) {
                joined.add(run);
                run = 0;
                inside = !inside;
            }
            run += steps.length;
        }
        joined.add(run);
        return new Mask(height, width, joined.stream().mapToInt(each -> each).toArray());
    }

    @Override
    public double area() {
        return area;
    }

    @Override
    public double intersection(Mask other) {
        checkSame(other);
        long both = 0;
        JointRuns steps = new JointRuns(other);
        while (steps.next()) {
            both += steps.here && steps.there ? steps.length : 0;
        }
        return both;
    }

    private void checkSame(Mask other) {
        if (height != other.height || width != other.width) {
            throw new IllegalArgumentException("a mask of " + height + " times " + width + " pixels beside one of "
                    + other.height + " times " + other.width);
        }
    }

    /** Walks over stretches of pixels that are alike in two masks. */
    private final class JointRuns {
        private final int[] others;
        private int mine = -1;
        private int theirs = -1;
        private int leftOfMine;
        private int leftOfTheirs;
        private int length;
        private boolean here;
        private boolean there;

        JointRuns(Mask other) {
            this.others = other.runs;
        }

        boolean next() {
            leftOfMine -= length;
            leftOfTheirs -= length;
            while (leftOfMine == 0 && mine + 1 < runs.length) {
                leftOfMine = runs[++mine];
            }
            while (leftOfTheirs == 0 && theirs + 1 < others.length) {
                leftOfTheirs = others[++theirs];
            }
            length = Math.min(leftOfMine, leftOfTheirs);
            here = mine % 2 == 1;
            there = theirs % 2 == 1;
            return length > 0;
        }
    }
}
