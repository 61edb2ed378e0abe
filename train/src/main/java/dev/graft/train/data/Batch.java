package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Examples side by side, padded on the right to the longest of them. The lengths alone tell padding from text; the pad id may also occur in
 * a text.
 *
 * @param width the longest length
 * @param ids token ids, [rows, width]
 * @param typeIds segments, [rows, width], 0 for padding; null where the model has none
 * @param lengths real tokens of each row
 * @param realTokens tokens of all rows, padding excluded
 * @param lossTerms the divisor of a mean loss: labelled tokens, or rows
 * @param rowIndices the number of each row in its data set
 * @param decoder the decoder inputs of an encoder-decoder, which the targets belong to; null for other models
 * @param images the pictures for a vision model; else null
 * @param groupSize the number of consecutive rows that are compared: 2 for pairs of answers, else 1
 * @param segments the number of the text that each token belongs to where rows hold several, [rows, width]; null for one text a row
 * @param batchStatistic a figure of the whole batch that the loss of each part needs, such as KTO's; else 0
 * @param tasks the number of each row's task, [rows]; null where rows name none
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
@RecordBuilder
public record Batch(
        int rows,
        int width,
        long[] ids,
        long @Nullable [] typeIds,
        int[] lengths,
        BatchTargets targets,
        int realTokens,
        int lossTerms,
        int[] rowIndices,
        @Nullable DecoderInputs decoder,
        @Nullable Images images,
        int groupSize,
        long @Nullable [] segments,
        double batchStatistic,
        int @Nullable [] tasks)
        implements BatchBuilder.With {
    /** Tokens of a row from which attention to it alone costs no more than attention to several padded rows at once. */
    private static final int LONG = 48;

    /** The images of a batch, which must have one size. */
    public record Images(List<Image> images) {
        private static @Nullable Images of(List<Example> examples) {
            List<Image> images = new ArrayList<>();
            for (Example example : examples) {
                Image image = example.image();
                if (image != null) {
                    images.add(image);
                }
            }
            return images.isEmpty() ? null : new Images(images);
        }

        /**
         * Returns the pixel values, {@code [rows, channels, height, width]}.
         *
         * @throws InputException if the images differ in size
         */
        public Tensor tensor() {
            Image first = images.get(0);
            int each = first.channels() * first.height() * first.width();
            float[] values = new float[images.size() * each];
            for (int i = 0; i < images.size(); i++) {
                Image image = images.get(i);
                if (image.height() != first.height() || image.width() != first.width()) {
                    throw new InputException("an image of a batch comes to " + first.width() + "x" + first.height()
                            + " points, another to " + image.width() + "x" + image.height()
                            + ": preprocessor_config.json must say one size");
                }
                System.arraycopy(image.values(), 0, values, i * each, each);
            }
            return Tensors.of(values, images.size(), first.channels(), first.height(), first.width());
        }

        private Images select(Integer[] rows) {
            return new Images(Arrays.stream(rows).map(images::get).toList());
        }
    }

    /**
     * Decoder input ids, padded on the right.
     *
     * @param ids token ids, {@code [rows, width]}
     * @param lengths the tokens of each row, padding excluded
     */
    @SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
    public record DecoderInputs(int width, long[] ids, int[] lengths) {
        private static @Nullable DecoderInputs of(List<Example> examples, int padId) {
            int[] first = examples.get(0).decoderIds();
            if (first == null) {
                return null;
            }
            int[] lengths = new int[examples.size()];
            for (int row = 0; row < lengths.length; row++) {
                lengths[row] = own(examples.get(row)).length;
            }
            int width = Arrays.stream(lengths).max().orElseThrow();
            long[] ids = new long[lengths.length * width];
            Arrays.fill(ids, padId);
            for (int row = 0; row < lengths.length; row++) {
                int[] own = own(examples.get(row));
                for (int i = 0; i < own.length; i++) {
                    ids[row * width + i] = own[i];
                }
            }
            return new DecoderInputs(width, ids, lengths);
        }

        private static int[] own(Example example) {
            int[] ids = example.decoderIds();
            if (ids == null) {
                throw new IllegalArgumentException("row " + example.row() + " has no answer, others of its batch have");
            }
            return ids;
        }

        private DecoderInputs select(Integer[] rows) {
            int newWidth =
                    Arrays.stream(rows).mapToInt(row -> lengths[row]).max().orElseThrow();
            long[] newIds = new long[rows.length * newWidth];
            int[] newLengths = new int[rows.length];
            for (int i = 0; i < rows.length; i++) {
                System.arraycopy(ids, rows[i] * width, newIds, i * newWidth, newWidth);
                newLengths[i] = lengths[rows[i]];
            }
            return new DecoderInputs(newWidth, newIds, newLengths);
        }
    }

    /**
     * Creates a batch from examples; each is followed by the ones that are compared with it.
     *
     * @param padId the token id of padding
     */
    public static Batch of(List<Example> units, int padId) {
        List<Example> examples = new ArrayList<>();
        for (Example unit : units) {
            examples.add(unit);
            examples.addAll(unit.others());
        }
        int rows = examples.size();
        int width = examples.stream().mapToInt(Example::length).max().orElseThrow();
        long[] ids = new long[Math.multiplyExact(rows, width)];
        long[] typeIds = examples.get(0).typeIds() == null ? null : new long[rows * width];
        Arrays.fill(ids, padId);
        int[] lengths = new int[rows];
        int[] indices = new int[rows];
        int realTokens = 0;
        int lossTerms = 0;
        for (int row = 0; row < rows; row++) {
            Example example = examples.get(row);
            int[] types = example.typeIds();
            for (int i = 0; i < example.length(); i++) {
                ids[row * width + i] = example.ids()[i];
                if (typeIds != null && types != null) {
                    typeIds[row * width + i] = types[i];
                }
            }
            lengths[row] = example.length();
            indices[row] = example.row();
            realTokens += example.length();
            lossTerms += example.target().lossTerms();
        }
        DecoderInputs decoder = DecoderInputs.of(examples, padId);
        BatchTargets targets = BatchTargets.of(examples, decoder == null ? width : decoder.width);
        return new Batch(
                rows,
                width,
                ids,
                typeIds,
                lengths,
                targets,
                realTokens,
                lossTerms,
                indices,
                decoder,
                Images.of(examples),
                1 + units.get(0).others().size(),
                segments(examples, width),
                0,
                tasks(units));
    }

    /** Rows that are compared are of one task. */
    private static int @Nullable [] tasks(List<Example> units) {
        if (units.stream().allMatch(unit -> unit.task() == Example.NO_TASK)) {
            return null;
        }
        return units.stream()
                .flatMapToInt(unit ->
                        IntStream.generate(unit::task).limit(1 + unit.others().size()))
                .toArray();
    }

    /** Padding counts as the last text of its row. */
    private static long @Nullable [] segments(List<Example> examples, int width) {
        if (examples.stream().allMatch(example -> example.segments() == null)) {
            return null;
        }
        long[] segments = new long[examples.size() * width];
        for (int row = 0; row < examples.size(); row++) {
            int[] lengths = examples.get(row).segments();
            int at = 0;
            for (int segment = 0; lengths != null && segment < lengths.length; segment++) {
                int end = segment + 1 == lengths.length ? width : at + lengths[segment];
                Arrays.fill(segments, row * width + at, row * width + end, segment);
                at = end;
            }
        }
        return segments;
    }

    /** Returns each token's position in its own text, [rows, width]; null where each row is one text. */
    public long @Nullable [] positions() {
        if (segments == null) {
            return null;
        }
        long[] positions = new long[segments.length];
        for (int i = 0; i < positions.length; i++) {
            boolean begins = i % width == 0 || segments[i] != segments[i - 1];
            positions[i] = begins ? 0 : positions[i - 1] + 1;
        }
        return positions;
    }

    /** Returns the number of rows, counting rows that are compared as one. */
    public int units() {
        return rows / groupSize;
    }

    /** Returns one of these units as a batch of its own, as wide as its longest row. */
    public Batch unit(int unit) {
        return select(new Integer[] {unit});
    }

    /**
     * Splits the batch into at most this many parts of nearly equal work. None is empty, and each is only as wide as its longest row. Rows
     * are sorted by length and cut so that the largest part is smallest.
     */
    public List<Batch> parts(int most) {
        int count = Math.min(most, units());
        // Pairs are told from all others of their batch.
        if (count == 1 || targets instanceof BatchTargets.Matches) {
            return List.of(this);
        }
        Integer[] order = new Integer[units()];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> work(a) != work(b) ? Integer.compare(work(b), work(a)) : a - b);
        long low = 0;
        long high = (long) rows * work(order[0]);
        while (low < high) {
            long middle = (low + high) / 2;
            if (cuts(order, middle).size() <= count) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        List<Batch> parts = new ArrayList<>();
        int start = 0;
        for (int end : cuts(order, low)) {
            parts.add(select(Arrays.copyOfRange(order, start, end)));
            start = end;
        }
        return parts;
    }

    /**
     * Returns whether {@link #packed} can put the rows in one row and saves time by it, as with long rows or rows that share a prompt.
     *
     * @param prompted true if a soft prompt precedes each row
     */
    public boolean canPack(boolean prompted) {
        return groupSize == 1
                && tasks == null
                && decoder == null
                && images == null
                && targets instanceof BatchTargets.Tokens
                && (prompted || realTokens >= LONG * rows);
    }

    /**
     * Splits the batch into at most this many parts of nearly equal work, none empty. Each part is a single row of consecutive texts that
     * don't attend to each other, without padding.
     *
     * @param prompted true if a soft prompt precedes each part; its end predicts the first token of each text
     */
    public List<Batch> packed(int most, boolean prompted) {
        Integer[] order = new Integer[rows];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> lengths[a] != lengths[b] ? Integer.compare(lengths[b], lengths[a]) : a - b);
        int count = Math.min(most, rows);
        List<List<Integer>> parts = new ArrayList<>();
        long[] work = new long[count];
        for (int i = 0; i < count; i++) {
            parts.add(new ArrayList<>());
        }
        for (int row : order) {
            int least = 0;
            for (int part = 1; part < count; part++) {
                least = work[part] < work[least] ? part : least;
            }
            parts.get(least).add(row);
            work[least] += lengths[row];
        }
        return parts.stream().map(part -> pack(part, prompted)).toList();
    }

    /** Rows one after another; without a prompt the first token of none is predicted, as in a row alone. */
    private Batch pack(List<Integer> chosen, boolean prompted) {
        int total = chosen.stream().mapToInt(row -> lengths[row]).sum();
        long[] newIds = new long[total];
        long[] newSegments = new long[total];
        long[] labels = new long[total];
        int at = 0;
        long text = 0;
        for (int row : chosen) {
            System.arraycopy(ids, row * width, newIds, at, lengths[row]);
            System.arraycopy(((BatchTargets.Tokens) targets).labels(), row * width, labels, at, lengths[row]);
            for (int i = 0; i < lengths[row]; i++) {
                boolean begins =
                        i == 0 || (segments != null && segments[row * width + i] != segments[row * width + i - 1]);
                if (begins) {
                    text++;
                    labels[at + i] = prompted ? labels[at + i] : Target.NONE;
                }
                newSegments[at + i] = text;
            }
            at += lengths[row];
        }
        BatchTargets.Tokens packed = new BatchTargets.Tokens(labels);
        return BatchBuilder.builder()
                .rows(1)
                .width(total)
                .ids(newIds)
                .lengths(new int[] {total})
                .targets(packed)
                .realTokens(total)
                .lossTerms(packed.lossTerms(total))
                .rowIndices(new int[] {rowIndices[chosen.get(0)]})
                .groupSize(1)
                .segments(newSegments)
                .batchStatistic(batchStatistic)
                .build();
    }

    /** Tokens of the longest row of a unit; images, which have no tokens, are all equal. */
    private int work(int unit) {
        return Math.max(
                1,
                Arrays.stream(lengths, unit * groupSize, (unit + 1) * groupSize)
                        .max()
                        .orElseThrow());
    }

    /** Returns the ends of parts that hold at most so many tokens, padding included; a single row may hold more. */
    private List<Integer> cuts(Integer[] order, long tokens) {
        List<Integer> ends = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < order.length; i++) {
            if (i > start && (long) work(order[start]) * (i + 1 - start) * groupSize > tokens) {
                ends.add(i);
                start = i;
            }
        }
        ends.add(order.length);
        return ends;
    }

    private Batch select(Integer[] units) {
        Integer[] chosen = new Integer[units.length * groupSize];
        Arrays.setAll(chosen, i -> units[i / groupSize] * groupSize + i % groupSize);
        int newWidth = Arrays.stream(chosen).mapToInt(row -> lengths[row]).max().orElseThrow();
        long[] newIds = new long[chosen.length * newWidth];
        long[] newTypes = typeIds == null ? null : new long[newIds.length];
        long[] newSegments = segments == null ? null : new long[newIds.length];
        int[] newLengths = new int[chosen.length];
        int[] newIndices = new int[chosen.length];
        int tokens = 0;
        for (int i = 0; i < chosen.length; i++) {
            int row = chosen[i];
            System.arraycopy(ids, row * width, newIds, i * newWidth, newWidth);
            if (typeIds != null && newTypes != null) {
                System.arraycopy(typeIds, row * width, newTypes, i * newWidth, newWidth);
            }
            if (segments != null && newSegments != null) {
                System.arraycopy(segments, row * width, newSegments, i * newWidth, newWidth);
            }
            newLengths[i] = lengths[row];
            newIndices[i] = rowIndices[row];
            tokens += lengths[row];
        }
        DecoderInputs chosenDecoder = decoder == null ? null : decoder.select(chosen);
        int newTargetWidth = chosenDecoder == null ? newWidth : chosenDecoder.width;
        BatchTargets chosenTargets = targets.select(chosen, targetWidth(), newTargetWidth);
        return new Batch(
                chosen.length,
                newWidth,
                newIds,
                newTypes,
                newLengths,
                chosenTargets,
                tokens,
                chosenTargets.lossTerms(newTargetWidth),
                newIndices,
                chosenDecoder,
                images == null ? null : images.select(chosen),
                groupSize,
                newSegments,
                batchStatistic,
                tasks == null
                        ? null
                        : Arrays.stream(chosen).mapToInt(row -> tasks[row]).toArray());
    }

    /** Returns 1 for real tokens and 0 for padding, [rows, width]. */
    public long[] attentionMask() {
        return mask(lengths, width);
    }

    /** Returns 1 for the first {@code lengths[i]} positions of row i and 0 for the others, [rows, width]. */
    public static long[] mask(int[] lengths, int width) {
        long[] mask = new long[lengths.length * width];
        for (int row = 0; row < lengths.length; row++) {
            Arrays.fill(mask, row * width, row * width + lengths[row], 1);
        }
        return mask;
    }

    /** Returns the width of the targets: that of the decoder inputs if there are some. */
    public int targetWidth() {
        return decoder == null ? width : decoder.width;
    }

    /** Returns whether any row is padded. */
    public boolean isPadded() {
        return realTokens < rows * width;
    }
}
