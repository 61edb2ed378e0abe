package dev.graft.train.data.files;

import dev.graft.formats.InputException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Rows;
import dev.graft.train.data.internal.PictureArchive;
import dev.graft.train.data.internal.PictureArchives;
import dev.graft.train.data.internal.RowFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The training, validation and test rows of a data set.
 *
 * @param validation rows scored during training; null if there are none
 * @param test rows scored at the end; null if there are none
 * @param notes detected facts and warnings, to show to the user
 */
public record Splits(
        Rows train, @Nullable Rows validation, @Nullable Rows test, List<String> notes) implements AutoCloseable {
    private static final List<String> TRAIN = List.of("train", "training");
    private static final List<String> VALIDATION = List.of("valid", "validation", "val", "dev");
    private static final List<String> TEST = List.of("test", "testing");

    public Splits {
        notes = List.copyOf(notes);
    }

    /**
     * Opens training rows and, from a folder, the other splits. The path is a file, a pattern such as {@code data/*.jsonl.gz}, or a folder.
     * A folder has {@code train}, {@code valid} (or {@code validation}, {@code val}, {@code dev}) and {@code test} files, also in Hugging
     * Face's layout such as {@code data/train-00000-of-00002.parquet}, or folders of these names with a folder of pictures for each class.
     * It may also hold the files of MNIST or CIFAR, or a folder of pictures for each class. All rows must have one shape.
     */
    public static Splits open(Path path, DataOptions options) {
        List<Path> train = Files.isDirectory(path) ? RowFiles.splitFiles(path, TRAIN) : List.of();
        if (!train.isEmpty()) {
            return open(train, RowFiles.splitFiles(path, VALIDATION), RowFiles.splitFiles(path, TEST), options);
        }
        PictureArchive.SplitFiles packed = PictureArchives.splitFiles(path);
        return packed == null ? open(path, null, null, options) : open(packed.train(), null, packed.test(), options);
    }

    /** Returns whether a folder has a training split of its own. */
    public static boolean hasSplits(Path folder) {
        return !RowFiles.splitFiles(folder, TRAIN).isEmpty() || PictureArchives.splitFiles(folder) != null;
    }

    /**
     * Returns the files of rows to score: a file, those of a pattern, or a folder's test split, else its validation split. A folder without
     * splits counts as a whole.
     *
     * @throws InputException if a folder has training rows only
     */
    public static List<Path> scored(Path path) {
        if (!Files.isDirectory(path)) {
            return files(path);
        }
        boolean apart = hasSplits(path);
        for (List<String> part : List.of(TEST, VALIDATION)) {
            List<Path> files = RowFiles.splitFiles(path, part);
            if (!files.isEmpty() && (apart || Files.isRegularFile(files.get(0)))) {
                return files;
            }
        }
        PictureArchive.SplitFiles packed = PictureArchives.splitFiles(path);
        Path test = packed == null ? null : packed.test();
        if (test != null) {
            return List.of(test);
        }
        if (apart) {
            throw new InputException(path + " has rows to train on, but none in " + TEST + " or " + VALIDATION
                    + "; name the file whose rows are meant");
        }
        return List.of(path);
    }

    /** Opens a file, or a pattern of files, for each split. */
    public static Splits open(Path train, @Nullable Path validation, @Nullable Path test, DataOptions options) {
        return open(files(train), files(validation), files(test), options);
    }

    private static List<Path> files(@Nullable Path path) {
        return path == null ? List.of() : RowFiles.of(path.toString());
    }

    private static Splits open(List<Path> train, List<Path> validation, List<Path> test, DataOptions options) {
        List<Dataset> opened = new ArrayList<>();
        boolean complete = false;
        try {
            Dataset first = Dataset.open(train, options);
            opened.add(first);
            DataOptions same = first.like(options);
            Dataset second = validation.isEmpty() ? null : Dataset.open(validation, same);
            if (second != null) {
                opened.add(second);
            }
            Dataset third = test.isEmpty() ? null : Dataset.open(test, same);
            if (third != null) {
                opened.add(third);
            }
            List<String> notes = new ArrayList<>();
            for (Dataset data : opened) {
                notes.add(data.path() + ": " + data.detected());
            }
            for (Dataset data : opened) {
                data.warnings().forEach(warning -> notes.add("Warning: " + warning));
            }
            leak(notes, first, second);
            leak(notes, first, third);
            complete = true;
            return new Splits(first, second, third, notes);
        } finally {
            if (!complete) {
                opened.forEach(Dataset::close);
            }
        }
    }

    private static void leak(List<String> notes, Rows train, @Nullable Rows other) {
        if (other != null) {
            String warning = leak(train, other);
            if (warning != null) {
                notes.add("Warning: " + warning);
            }
        }
    }

    /** Returns a warning if held-out rows are among the training rows; null if none is. */
    public static @Nullable String leak(Rows train, Rows other) {
        long[] known =
                IntStream.range(0, train.size()).mapToLong(train::hash).sorted().toArray();
        int[] leaked = IntStream.range(0, other.size())
                .filter(row -> Arrays.binarySearch(known, other.hash(row)) >= 0)
                .toArray();
        return leaked.length == 0
                ? null
                : leaked.length + " of " + other.size() + " rows have the same input as a training row (first: "
                        + other.place(leaked[0]) + "), so scores on them are too good";
    }

    /**
     * Removes training rows whose input repeats another training row or is among the validation or test rows.
     *
     * @throws InputException if no training row is left
     */
    public Splits withoutRepeats() {
        Set<Long> apart = new HashSet<>();
        for (Rows rows : Arrays.asList(validation, test)) {
            for (int row = 0; rows != null && row < rows.size(); row++) {
                apart.add(rows.hash(row));
            }
        }
        Set<Long> seen = new HashSet<>();
        int leaked = 0;
        int count = 0;
        int[] kept = new int[train.size()];
        for (int row = 0; row < train.size(); row++) {
            long hash = train.hash(row);
            if (apart.contains(hash)) {
                leaked++;
            } else if (seen.add(hash)) {
                kept[count++] = row;
            }
        }
        if (count == 0) {
            throw new InputException("every training row is among the validation or test rows too");
        }
        List<String> all = new ArrayList<>(notes);
        all.add((train.size() - count - leaked) + " training rows that repeat another one and " + leaked
                + " that are validation or test rows too are left out; " + count + " are left");
        return new Splits(train.select(Arrays.copyOf(kept, count)), validation, test, all);
    }

    /**
     * Moves a share of the training rows to validation. The hash of each row decides, so the choice is the same on every machine and in any
     * order of rows, and equal inputs stay together.
     *
     * @param fraction the share, above 0 and below 1
     * @throws InputException if the fraction is out of range, there are validation rows already, or one of the parts would be empty
     */
    public Splits withValidation(double fraction) {
        if (!(fraction > 0 && fraction < 1)) {
            throw new InputException("the validation share is " + fraction + ", expected more than 0 and less than 1");
        }
        if (validation != null) {
            throw new InputException("the data already has validation rows; leave out the share to take from training");
        }
        int[][] parts = new int[2][];
        for (int part = 0; part < 2; part++) {
            boolean chosen = part == 1;
            parts[part] = IntStream.range(0, train.size())
                    .filter(row -> position(train.hash(row)) < fraction == chosen)
                    .toArray();
            if (parts[part].length == 0) {
                throw new InputException("a validation share of " + fraction + " of " + train.size()
                        + " rows leaves no row for " + (chosen ? "validation" : "training"));
            }
        }
        List<String> all = new ArrayList<>(notes);
        all.add(parts[1].length + " of " + train.size() + " training rows are kept for validation");
        return new Splits(train.select(parts[0]), train.select(parts[1]), test, all);
    }

    /**
     * Limits the number of rows to those with the smallest hashes, in their order.
     *
     * @param trained the maximum number of training rows; null for all
     * @param scored the maximum number of validation rows, and of test rows; null for all
     */
    public Splits limited(@Nullable Integer trained, @Nullable Integer scored) {
        return new Splits(
                fewest(train, trained),
                validation == null ? null : fewest(validation, scored),
                test == null ? null : fewest(test, scored),
                notes);
    }

    /** Returns at most so many rows, those with the smallest hashes, in their order; null for all. */
    public static Rows fewest(Rows rows, @Nullable Integer most) {
        if (most == null || rows.size() <= most) {
            return rows;
        }
        long[] hashes = IntStream.range(0, rows.size()).mapToLong(rows::hash).toArray();
        return rows.select(IntStream.range(0, rows.size())
                .boxed()
                .sorted(Comparator.comparingLong(row -> hashes[row]))
                .limit(most)
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray());
    }

    /**
     * Keeps so many training rows of each class, and as many validation rows: those with the smallest hashes.
     *
     * @throws InputException if rows have no class, or several classes each
     */
    public Splits fewShot(int each) {
        return new Splits(fewShot(train, each), validation == null ? null : fewShot(validation, each), test, notes);
    }

    private static Rows fewShot(Rows rows, int each) {
        Map<String, List<Integer>> classes = new TreeMap<>();
        for (int row = 0; row < rows.size(); row++) {
            if (!(rows.get(row).label() instanceof Label.One one)) {
                throw new InputException(
                        rows.place(row) + ": data.shots counts the rows of each class, and this one has no"
                                + " single class; leave it out");
            }
            classes.computeIfAbsent(one.name(), name -> new ArrayList<>()).add(row);
        }
        return rows.select(classes.values().stream()
                .flatMap(of ->
                        of.stream().sorted(Comparator.comparingLong(rows::hash)).limit(each))
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray());
    }

    /** A hash as a number from 0 to 1. */
    private static double position(long hash) {
        return (hash >>> 11) * 0x1p-53;
    }

    @Override
    public void close() {
        for (Rows rows : Arrays.asList(train, validation, test)) {
            if (rows != null) {
                rows.close();
            }
        }
    }
}
