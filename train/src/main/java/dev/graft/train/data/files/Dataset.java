package dev.graft.train.data.files;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.internal.RecordSource;
import dev.graft.train.data.internal.RowReader;
import dev.graft.train.data.internal.Shards;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The rows of one or several files. Formats are JSONL, a JSON array of objects, CSV and TSV in strict UTF-8, also compressed by gzip,
 * Zstandard, bzip2 or xz, and Parquet. Pictures with a label come from a folder with a folder for each class, IDX files (MNIST) or the
 * binary files of CIFAR. Opening reads and checks every row once. Afterwards rows are read on access, so that a file may be larger than
 * memory. Compressed files are unpacked into a temporary file.
 *
 * <pre>{@code
 * try (Dataset data = Dataset.open(Path.of("train.jsonl"))) {
 *     System.out.println(data.detected());   // JSONL, classification, fields text,label, 12 labels, 4000 rows
 *     Row first = data.get(0);
 * }
 * }</pre>
 */
public final class Dataset implements Rows {
    private static final int SNIFFED_ROWS = 100;

    /** So many rows that break a rule are told at once. */
    private static final int BROKEN_ROWS = 10;

    private final Path path;
    private final RecordSource records;
    private final RowReader reader;
    private final long[] hashes;
    private final Map<String, Integer> labelCounts;
    private final boolean wholeScores;

    private Dataset(Path path, RecordSource records, Scan check, RowReader reader) {
        this.path = path;
        this.records = records;
        this.reader = reader;
        this.hashes = Arrays.copyOf(check.hashes, check.rows);
        this.labelCounts = Collections.unmodifiableMap(check.labelCounts);
        this.wholeScores = check.options.labels() == null && check.wholeScores;
    }

    /** Opens a file and detects its format, shape and labels. */
    public static Dataset open(Path path) {
        return open(path, DataOptions.DETECT);
    }

    /** Opens one file. */
    public static Dataset open(Path path, DataOptions options) {
        return open(List.of(path), options);
    }

    /**
     * Opens files of one format as one data set.
     *
     * @throws InputException naming the lines of up to ten rows that break a rule: not UTF-8, not of the file's shape, or a text or label
     *     that is missing, empty, negative or not a number
     */
    public static Dataset open(List<Path> paths, DataOptions options) {
        Path path = paths.get(0);
        Scan check = new Scan(options);
        RecordSource records = Shards.open(paths, check::accept);
        boolean complete = false;
        try {
            if (records.size() == 0) {
                throw new FormatException(path, "has no rows");
            }
            RowReader reader = check.finish(records);
            complete = true;
            return new Dataset(path, records, check, reader);
        } finally {
            if (!complete) {
                records.close();
            }
        }
    }

    /** Reads every row once, the first ones together because they decide the shape. */
    private static final class Scan {
        private final DataOptions options;
        private final Map<String, Integer> labelCounts = new LinkedHashMap<>();
        private final List<ObjectNode> first = new ArrayList<>();
        private @Nullable RowReader reader;
        private long[] hashes = new long[1024];
        private final List<String> broken = new ArrayList<>();
        private @Nullable InputException wrong;
        private boolean wholeScores = true;
        private int rows;

        Scan(DataOptions options) {
            this.options = options;
        }

        void accept(RecordSource records, ObjectNode record) {
            if (reader != null) {
                count(reader, record, records.place(rows));
                return;
            }
            first.add(record);
            if (first.size() == SNIFFED_ROWS) {
                end(records);
            }
        }

        RowReader end(RecordSource records) {
            if (reader == null) {
                reader = new RowReader(first, options, records);
                for (ObjectNode record : first) {
                    count(reader, record, records.place(rows));
                }
                first.clear();
            }
            return reader;
        }

        /** Finishes the reader after {@link #accept} has seen all rows. */
        RowReader finish(RecordSource records) {
            RowReader made = end(records);
            if (wrong != null) {
                throw withBrokenRows(wrong, "");
            }
            return made;
        }

        private void count(RowReader from, ObjectNode record, String place) {
            if (rows == hashes.length) {
                hashes = Arrays.copyOf(hashes, Math.addExact(rows, rows / 2));
            }
            int at = rows++;
            try {
                count(from.read(record, place), at);
            } catch (InputException failure) {
                if (wrong == null) {
                    wrong = failure;
                    return;
                }
                broken.add(place);
                if (broken.size() == BROKEN_ROWS - 1) {
                    throw withBrokenRows(wrong, "; the rest was not read");
                }
            }
        }

        private InputException withBrokenRows(InputException failure, String end) {
            return broken.isEmpty()
                    ? failure
                    : new InputException(
                            failure.getMessage() + "\nother rows break a rule too: " + String.join(", ", broken) + end,
                            failure);
        }

        private void count(Row row, int at) {
            hashes[at] = row.hash();
            Label label = row.label();
            if (label != null) {
                label.names().forEach(name -> labelCounts.merge(name, 1, Integer::sum));
                wholeScores &= label instanceof Label.Score score && score.value() == Math.rint(score.value());
            }
        }
    }

    public Path path() {
        return path;
    }

    public RowShape shape() {
        return reader.shape();
    }

    /** Returns the kind of the labels; null where rows have none. */
    public Label.@Nullable Kind labelKind() {
        return reader.labelKind();
    }

    /** Returns whether any question has no answer in its text. */
    public boolean hasUnanswerable() {
        return reader.hasUnanswerable();
    }

    /** Returns the SHA-256 of the content that was read. */
    public String sha256() {
        return records.sha256();
    }

    /** Returns one line about the detected format, shape, fields, labels and number of rows. */
    public String detected() {
        StringBuilder text = new StringBuilder(records.format())
                .append(", ")
                .append(shape().title())
                .append(", fields ")
                .append(String.join(",", reader.fields()));
        Label.Kind kind = labelKind();
        if (kind != null) {
            text.append(
                    switch (kind) {
                        case ONE -> ", " + labelCounts.size() + (labelCounts.size() == 1 ? " label" : " labels");
                        case EACH -> ", " + labelCounts.size() + " tags";
                        case MANY -> ", " + labelCounts.size() + " labels, any number a row";
                        case SCORE -> ", regression";
                    });
        }
        text.append(", ").append(size()).append(size() == 1 ? " row" : " rows");
        if (!reader.ignored().isEmpty()) {
            text.append(" (not used: ")
                    .append(String.join(",", reader.ignored()))
                    .append(")");
        }
        return text.toString();
    }

    /**
     * Returns warnings about valid but suspicious data: one row, one label, nearly equal labels, scores that are all integers, repeated
     * rows.
     */
    public List<String> warnings() {
        List<String> warnings = new ArrayList<>();
        if (size() == 1) {
            warnings.add(path + " has a single row");
        }
        if (labelCounts.size() == 1 && labelKind() != Label.Kind.SCORE) {
            warnings.add(path + ": every label is "
                    + labelCounts.keySet().iterator().next() + ", so there is nothing to tell apart");
        }
        if (labelKind() == Label.Kind.SCORE && wholeScores) {
            warnings.add(
                    path + ": every label is a whole number, but written with a point, such as 1.0, so the labels are"
                            + " numbers to predict (regression); if they are classes set problem_type to single_label");
        }
        similarLabels()
                .forEach(names -> warnings.add(path + ": the labels " + names
                        + " differ only in case or in space around them; write them alike if they are one class"));
        long[] sorted = hashes.clone();
        Arrays.sort(sorted);
        int repeated = 0;
        for (int i = 1; i < sorted.length; i++) {
            if (sorted[i] == sorted[i - 1]) {
                repeated++;
            }
        }
        if (repeated > 0) {
            warnings.add(path + ": " + repeated + " of " + size() + " rows repeat the input of another row");
        }
        return warnings;
    }

    private List<String> similarLabels() {
        Map<String, List<String>> groups = new TreeMap<>();
        for (String name : labelCounts.keySet()) {
            groups.computeIfAbsent(name.strip().toLowerCase(Locale.ROOT), plain -> new ArrayList<>())
                    .add("\"" + name + "\"");
        }
        return groups.values().stream()
                .filter(names -> names.size() > 1)
                .map(names -> String.join(", ", names))
                .toList();
    }

    @Override
    public int size() {
        return hashes.length;
    }

    @Override
    public Row get(int index) {
        return reader.read(records.get(index), place(index));
    }

    @Override
    public @Nullable String task(int index) {
        return reader.task(records.get(index), place(index));
    }

    @Override
    public String place(int index) {
        return records.place(index);
    }

    @Override
    public long hash(int index) {
        return hashes[index];
    }

    @Override
    public Map<String, Integer> labelCounts() {
        return labelCounts;
    }

    @Override
    public void close() {
        records.close();
    }

    /** Returns options for more rows of the same shape and kind of labels. */
    public DataOptions like(DataOptions options) {
        return new DataOptions(options.columns(), shape(), labelKind(), options.taskField(), options.isPromptOnly());
    }
}
