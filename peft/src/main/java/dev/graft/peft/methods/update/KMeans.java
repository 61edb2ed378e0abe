package dev.graft.peft.methods.update;

import dev.graft.tensor.MersenneTwister;
import java.util.Arrays;

/**
 * Lloyd's k-means, equivalent to scikit-learn's {@code KMeans(n_clusters, init="random", n_init=1, max_iter, random_state)} ({@code _kmeans.py},
 * {@code _k_means_lloyd.pyx}): the same initial rows, tolerance and treatment of empty clusters. Rows equally close to two centres may be
 * assigned differently, since scikit-learn computes in fp32.
 */
final class KMeans {
    private static final double TOLERANCE = 1e-4;

    private final double[][] rows;
    private final double[][] centres;
    private final int[] labels;

    private KMeans(double[][] rows, int[] seeds) {
        this.rows = rows;
        this.centres = new double[seeds.length][];
        for (int i = 0; i < seeds.length; i++) {
            centres[i] = rows[seeds[i]].clone();
        }
        this.labels = new int[rows.length];
    }

    /**
     * Returns the cluster of each row, from 0.
     *
     * @param values rows of equal length
     * @param clusters the number of clusters, at most the number of rows
     */
    static int[] labels(double[][] values, int clusters, int iterations, int seed) {
        double[][] rows = new double[values.length][];
        double variance = 0;
        int width = values[0].length;
        double[] mean = mean(values);
        for (int i = 0; i < rows.length; i++) {
            rows[i] = new double[width];
            for (int j = 0; j < width; j++) {
                rows[i][j] = values[i][j] - mean[j];
                variance += rows[i][j] * rows[i][j];
            }
        }
        KMeans means = new KMeans(rows, choice(rows.length, clusters, MersenneTwister.of(seed)));
        means.run(iterations, TOLERANCE * variance / rows.length / width);
        return means.labels;
    }

    private static double[] mean(double[][] values) {
        double[] mean = new double[values[0].length];
        for (double[] row : values) {
            for (int j = 0; j < mean.length; j++) {
                mean[j] += row[j] / values.length;
            }
        }
        return mean;
    }

    /**
     * {@code RandomState.choice(n, size, replace=False, p=[1/n, …])} with probabilities in fp32, as in scikit-learn.
     */
    static int[] choice(int n, int size, MersenneTwister random) {
        double[] p = new double[n];
        Arrays.fill(p, 1f / n);
        int[] found = new int[size];
        int known = 0;
        while (known < size) {
            double[] drawn = new double[size - known];
            Arrays.setAll(drawn, i -> random.nextDouble());
            for (int i = 0; i < known; i++) {
                p[found[i]] = 0;
            }
            double[] sums = p.clone();
            for (int i = 1; i < n; i++) {
                sums[i] += sums[i - 1];
            }
            int before = known;
            for (double x : drawn) {
                int place = above(sums, x);
                if (Arrays.stream(found, before, known).noneMatch(one -> one == place)) {
                    found[known++] = place;
                }
            }
        }
        return found;
    }

    /** The first place whose sum, as a share of all, exceeds x. */
    private static int above(double[] sums, double x) {
        int low = 0;
        int high = sums.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (sums[middle] / sums[sums.length - 1] <= x) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private void run(int iterations, double tolerance) {
        int[] before = new int[labels.length];
        Arrays.fill(before, -1);
        for (int i = 0; i < iterations; i++) {
            assign();
            double shift = move();
            if (Arrays.equals(labels, before)) {
                return;
            }
            if (shift <= tolerance) {
                break;
            }
            System.arraycopy(labels, 0, before, 0, labels.length);
        }
        assign();
    }

    private void assign() {
        for (int i = 0; i < rows.length; i++) {
            double nearest = Double.POSITIVE_INFINITY;
            for (int c = 0; c < centres.length; c++) {
                double distance = distance(rows[i], centres[c]);
                if (distance < nearest) {
                    nearest = distance;
                    labels[i] = c;
                }
            }
        }
    }

    /** Moves the centres to the means of their rows, and returns the sum of the squared distances. */
    private double move() {
        int width = rows[0].length;
        double[][] sums = new double[centres.length][width];
        int[] counts = new int[centres.length];
        for (int i = 0; i < rows.length; i++) {
            counts[labels[i]]++;
            add(sums[labels[i]], rows[i], 1);
        }
        fill(sums, counts);
        int largest = 0;
        for (int c = 1; c < counts.length; c++) {
            largest = counts[c] > counts[largest] ? c : largest;
        }
        double shift = 0;
        for (int c = 0; c < centres.length; c++) {
            double[] to = new double[width];
            int from = counts[c] > 0 ? c : largest;
            add(to, sums[from], 1.0 / counts[from]);
            shift += distance(to, centres[c]);
            centres[c] = to;
        }
        return shift;
    }

    /** Moves to each cluster without rows the row that is farthest from its centre. */
    private void fill(double[][] sums, int[] counts) {
        double[] distances = new double[rows.length];
        Arrays.setAll(distances, i -> distance(rows[i], centres[labels[i]]));
        if (Arrays.stream(distances).max().orElse(0) == 0) {
            return;
        }
        for (int c = 0; c < counts.length; c++) {
            if (counts[c] == 0) {
                int farthest = 0;
                for (int i = 1; i < distances.length; i++) {
                    farthest = distances[i] > distances[farthest] ? i : farthest;
                }
                distances[farthest] = -1;
                add(sums[labels[farthest]], rows[farthest], -1);
                counts[labels[farthest]]--;
                add(sums[c], rows[farthest], 1);
                counts[c] = 1;
            }
        }
    }

    private static void add(double[] to, double[] row, double factor) {
        for (int j = 0; j < to.length; j++) {
            to[j] += factor * row[j];
        }
    }

    private static double distance(double[] a, double[] b) {
        double sum = 0;
        for (int j = 0; j < a.length; j++) {
            sum += (a[j] - b[j]) * (a[j] - b[j]);
        }
        return sum;
    }
}
