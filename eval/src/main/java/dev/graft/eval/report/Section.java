package dev.graft.eval.report;

import java.util.List;

/** A part of a {@link Report}. All texts are plain text: markup in them is shown, not interpreted. */
public sealed interface Section {

    String title();

    /** The most important numbers of a report. */
    record KeyFigures(String title, List<KeyFigure> figures) implements Section {
        public KeyFigures {
            figures = List.copyOf(figures);
        }
    }

    /**
     * A number with its label.
     *
     * @param note a value to compare with, or the origin of the number; may be empty
     */
    record KeyFigure(String label, String value, String note) {}

    /** A table. Columns of numbers are aligned to the right. */
    record Table(String title, List<String> columns, List<List<String>> rows) implements Section {
        public Table {
            columns = List.copyOf(columns);
            rows = rows.stream().map(List::copyOf).toList();
            for (int i = 0; i < rows.size(); i++) {
                if (rows.get(i).size() != columns.size()) {
                    throw new IllegalArgumentException("row " + i + " of the table \"" + title + "\" has "
                            + rows.get(i).size() + " cells, expected " + columns.size());
                }
            }
        }
    }

    /** Curves over a common axis. Points that cannot be drawn leave a gap, and a note below says how many there are. */
    record LineChart(String title, String xLabel, String yLabel, YScale yScale, List<Series> series)
            implements Section {
        public LineChart {
            series = List.copyOf(series);
        }
    }

    enum YScale {
        LINEAR,
        LOG
    }

    /** A named curve; the points are joined in the order given. */
    record Series(String name, List<Point> points) {
        public Series {
            points = List.copyOf(points);
        }
    }

    record Point(double x, double y) {}

    /** Horizontal bars from zero. */
    record BarChart(String title, String valueLabel, List<Bar> bars) implements Section {
        public BarChart {
            bars = List.copyOf(bars);
        }
    }

    /** @throws IllegalArgumentException if the value is not finite */
    record Bar(String label, double value) {
        public Bar {
            if (!Double.isFinite(value)) {
                throw new IllegalArgumentException("the bar \"" + label + "\" has the value " + value);
            }
        }
    }

    /** A scatter plot of named points with their Pareto front. The x axis is logarithmic if all values are positive. */
    record Scatter(String title, String xLabel, String yLabel, List<ScatterPoint> points) implements Section {
        public Scatter {
            points = List.copyOf(points);
        }
    }

    /** @throws IllegalArgumentException if a coordinate is not finite */
    record ScatterPoint(String name, double x, double y, boolean onFront) {
        public ScatterPoint {
            if (!Double.isFinite(x) || !Double.isFinite(y)) {
                throw new IllegalArgumentException("the point \"" + name + "\" is at " + x + ", " + y);
            }
        }
    }

    /**
     * A confusion matrix as a heat map.
     *
     * @param labels the classes' names
     * @param counts {@code [label][prediction]}
     */
    record Confusion(String title, List<String> labels, long[][] counts) implements Section {
        public Confusion {
            labels = List.copyOf(labels);
            counts = copy(counts);
            if (labels.isEmpty() || counts.length != labels.size()) {
                throw new IllegalArgumentException("the confusion matrix \"" + title + "\" has " + counts.length
                        + " rows for " + labels.size() + " labels");
            }
            for (long[] row : counts) {
                if (row.length != labels.size()) {
                    throw new IllegalArgumentException("a row of the confusion matrix \"" + title + "\" has "
                            + row.length + " columns for " + labels.size() + " labels");
                }
                for (long count : row) {
                    if (count < 0) {
                        throw new IllegalArgumentException(
                                "the confusion matrix \"" + title + "\" has the count " + count);
                    }
                }
            }
        }

        /** A copy. */
        @Override
        public long[][] counts() {
            return copy(counts);
        }

        private static long[][] copy(long[][] counts) {
            long[][] copy = new long[counts.length][];
            for (int i = 0; i < copy.length; i++) {
                copy[i] = counts[i].clone();
            }
            return copy;
        }
    }

    /** Paragraphs, separated by empty lines. */
    record Text(String title, String text) implements Section {}

    /** Commands or code, shown with the spaces and line ends it has. */
    record Code(String title, String code) implements Section {}
}
