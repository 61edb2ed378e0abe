package dev.graft.train.data;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.train.data.internal.PackedPictures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Rows to train on, and those kept apart from them.
 *
 * @param validation scored during training; null if there is none
 * @param test scored at the end; null if there is none
 * @param notes what was detected, and warnings, to show to the person
 */
public record Splits(
        Rows train, @Nullable Rows validation, @Nullable Rows test, List<String> notes) implements AutoCloseable {
    private static final List<String> TRAIN = List.of("train");
    private static final List<String> VALIDATION = List.of("valid", "validation", "val", "dev");
    private static final List<String> TEST = List.of("test");
    private static final Set<String> SUFFIXES = Set.of("jsonl", "ndjson", "json", "csv", "tsv", "tab");

    public Splits {
        notes = List.copyOf(notes);
    }

    /**
     * A file of rows to train on, or a folder with {@code train}, {@code valid} (or {@code validation}, {@code val}, {@code dev}) and
     * {@code test} files with one of the suffixes jsonl, ndjson, json, csv, tsv, tab, or such folders with a folder of pictures for each
     * class. A folder may also hold the files of MNIST or CIFAR, or be itself the folder of the classes. All must have one shape.
     */
    public static Splits open(Path path, DataOptions options) {
        Path train = Files.isDirectory(path) ? find(path, TRAIN) : null;
        if (train != null) {
            return open(train, find(path, VALIDATION), find(path, TEST), options);
        }
        PackedPictures.Parts packed = PackedPictures.parts(path);
        return packed == null ? open(path, null, null, options) : open(packed.train(), null, packed.test(), options);
    }

    /** Whether a folder has a part to train on apart from others. */
    public static boolean hasParts(Path folder) {
        return find(folder, TRAIN) != null || PackedPictures.parts(folder) != null;
    }

    /** One file for each part. */
    public static Splits open(Path train, @Nullable Path validation, @Nullable Path test, DataOptions options) {
        List<Dataset> opened = new ArrayList<>();
        boolean complete = false;
        try {
            Dataset first = Dataset.open(train, options);
            opened.add(first);
            DataOptions same = new DataOptions(options.columns(), first.shape(), first.labelKind());
            Dataset second = validation == null ? null : Dataset.open(validation, same);
            if (second != null) {
                opened.add(second);
            }
            Dataset third = test == null ? null : Dataset.open(test, same);
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

    /** Whether rows that should be unseen are among the training rows; null if none is. */
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
     * Takes a share of the training rows for validation. A row's own hash decides, so the choice is the same on every machine and in any
     * order of rows, and equal inputs stay together.
     *
     * @param fraction above 0, below 1
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

    /** A hash as a number from 0 to 1. */
    private static double position(long hash) {
        return (hash >>> 11) * 0x1p-53;
    }

    private static @Nullable Path find(Path folder, List<String> names) {
        List<Path> found = list(folder).stream()
                .filter(file -> {
                    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
                    int dot = name.lastIndexOf('.');
                    return Files.isDirectory(file) && names.contains(name)
                            || dot > 0
                                    && names.contains(name.substring(0, dot))
                                    && SUFFIXES.contains(name.substring(dot + 1));
                })
                .toList();
        if (found.size() > 1) {
            throw new FormatException(folder, "has more than one " + names.get(0) + " file: " + found + "; keep one");
        }
        return found.isEmpty() ? null : found.get(0);
    }

    private static List<Path> list(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + folder + ": " + e.getMessage(), e);
        }
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
