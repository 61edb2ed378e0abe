package dev.graft.train.data;

import java.util.Arrays;
import java.util.List;

/** The {@link Target}s of a batch in the layout that the losses read. */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
public sealed interface BatchTargets {

    /** Token ids or {@link Target#NONE}, [rows, width]. */
    record Tokens(long[] labels) implements BatchTargets {}

    /** Classes of tokens, ids or {@link Target#NONE}, each at its own position, [rows, width]. */
    record InPlace(long[] labels) implements BatchTargets {}

    /** Answer spans in passages, one for each row. */
    record Spans(List<Target.Span> answers) implements BatchTargets {
        public Spans {
            answers = List.copyOf(answers);
        }
    }

    /**
     * Judged answers.
     *
     * @param labels token ids or {@link Target#NONE}, [rows, width]
     * @param good whether each row is good, [rows]
     */
    record Judged(long[] labels, boolean[] good) implements BatchTargets {}

    /** Class ids, [rows]. */
    record ClassIds(long[] ids) implements BatchTargets {}

    /** 1 for each class of a row, else 0: [rows, classes]. */
    record MultiHot(float[] values, int classes) implements BatchTargets {}

    /** Numbers to predict, [rows]. */
    record Scores(float[] values) implements BatchTargets {}

    /** Matching pairs: the text of each row belongs to the image of the same row alone. */
    record Matches(int rows) implements BatchTargets {}

    /** A class for each point of each image. */
    record Pixels(List<Target.Pixels> images) implements BatchTargets {
        /** Returns the classes of all images, {@code [rows, height, width]}. */
        public long[] classes() {
            List<byte[]> each =
                    images.stream().map(image -> image.classes().get()).toList();
            long[] all = new long[each.stream().mapToInt(one -> one.length).sum()];
            int at = 0;
            for (byte[] one : each) {
                for (byte value : one) {
                    all[at++] = value & 0xFF;
                }
            }
            return all;
        }
    }

    /**
     * @throws IllegalArgumentException if the examples differ in kind
     */
    static BatchTargets of(List<Example> examples, int width) {
        Target first = examples.get(0).target();
        for (Example example : examples) {
            if (example.target().getClass() != first.getClass()) {
                throw new IllegalArgumentException("a batch holds " + first + " of row "
                        + examples.get(0).row() + " and " + example.target() + " of row " + example.row());
            }
        }
        int rows = examples.size();
        if (first instanceof Target.ClassId) {
            return new ClassIds(examples.stream()
                    .mapToLong(example -> ((Target.ClassId) example.target()).id())
                    .toArray());
        }
        if (first instanceof Target.Span) {
            return new Spans(examples.stream()
                    .map(example -> (Target.Span) example.target())
                    .toList());
        }
        if (first instanceof Target.Pixels) {
            return new Pixels(examples.stream()
                    .map(example -> (Target.Pixels) example.target())
                    .toList());
        }
        if (first instanceof Target.Match) {
            return new Matches(rows);
        }
        if (first instanceof Target.Score) {
            float[] values = new float[rows];
            for (int row = 0; row < rows; row++) {
                values[row] = ((Target.Score) examples.get(row).target()).value();
            }
            return new Scores(values);
        }
        if (first instanceof Target.MultiHot hot) {
            int classes = hot.classes().length;
            float[] values = new float[rows * classes];
            for (int row = 0; row < rows; row++) {
                System.arraycopy(
                        ((Target.MultiHot) examples.get(row).target()).classes(), 0, values, row * classes, classes);
            }
            return new MultiHot(values, classes);
        }
        long[] labels = new long[rows * width];
        Arrays.fill(labels, Target.NONE);
        for (int row = 0; row < rows; row++) {
            int[] from = examples.get(row).target().tokenLabels();
            for (int i = 0; from != null && i < from.length; i++) {
                labels[row * width + i] = from[i];
            }
        }
        if (first instanceof Target.InPlace) {
            return new InPlace(labels);
        }
        if (!(first instanceof Target.Judged)) {
            return new Tokens(labels);
        }
        boolean[] good = new boolean[rows];
        for (int row = 0; row < rows; row++) {
            good[row] = ((Target.Judged) examples.get(row).target()).isGood();
        }
        return new Judged(labels, good);
    }

    /** Returns the targets of some rows, padded or cut from one width to another. */
    default BatchTargets select(Integer[] rows, int width, int newWidth) {
        if (this instanceof ClassIds classes) {
            long[] chosen = new long[rows.length];
            Arrays.setAll(chosen, i -> classes.ids[rows[i]]);
            return new ClassIds(chosen);
        }
        if (this instanceof Spans spans) {
            return new Spans(Arrays.stream(rows).map(spans.answers::get).toList());
        }
        if (this instanceof Pixels points) {
            return new Pixels(Arrays.stream(rows).map(points.images::get).toList());
        }
        if (this instanceof Matches) {
            return new Matches(rows.length);
        }
        if (this instanceof Scores scores) {
            float[] chosen = new float[rows.length];
            for (int i = 0; i < chosen.length; i++) {
                chosen[i] = scores.values[rows[i]];
            }
            return new Scores(chosen);
        }
        if (this instanceof MultiHot hot) {
            float[] chosen = new float[rows.length * hot.classes];
            for (int i = 0; i < rows.length; i++) {
                System.arraycopy(hot.values, rows[i] * hot.classes, chosen, i * hot.classes, hot.classes);
            }
            return new MultiHot(chosen, hot.classes);
        }
        long[] labels = tokenLabels();
        long[] chosen = new long[rows.length * newWidth];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(labels, rows[i] * width, chosen, i * newWidth, newWidth);
        }
        if (this instanceof InPlace) {
            return new InPlace(chosen);
        }
        if (!(this instanceof Judged judged)) {
            return new Tokens(chosen);
        }
        boolean[] good = new boolean[rows.length];
        for (int i = 0; i < good.length; i++) {
            good[i] = judged.good[rows[i]];
        }
        return new Judged(chosen, good);
    }

    /** The labels of tokens, [rows, width]. */
    default long[] tokenLabels() {
        if (this instanceof InPlace own) {
            return own.labels;
        }
        if (this instanceof Judged judged) {
            return judged.labels;
        }
        if (this instanceof Tokens tokens) {
            return tokens.labels;
        }
        throw new IllegalArgumentException("a loss over tokens needs token labels");
    }

    /** Returns the divisor of a mean of the loss: labelled tokens that are predicted, or rows. */
    default int lossTerms(int width) {
        if (this instanceof Tokens tokens) {
            int terms = 0;
            for (int i = 0; i < tokens.labels.length; i++) {
                if (i % width != 0 && tokens.labels[i] != Target.NONE) {
                    terms++;
                }
            }
            return terms;
        }
        if (this instanceof InPlace own) {
            return (int) Arrays.stream(own.labels)
                    .filter(label -> label != Target.NONE)
                    .count();
        }
        if (this instanceof ClassIds classes) {
            return classes.ids.length;
        }
        if (this instanceof Spans spans) {
            return spans.answers.size();
        }
        if (this instanceof Judged judged) {
            return judged.good.length;
        }
        if (this instanceof Pixels points) {
            return points.images.stream().mapToInt(Target.Pixels::labelled).sum();
        }
        if (this instanceof Matches matches) {
            return matches.rows;
        }
        return this instanceof Scores scores
                ? scores.values.length
                : ((MultiHot) this).values.length / ((MultiHot) this).classes;
    }
}
