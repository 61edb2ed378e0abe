package dev.graft.eval.suites;

import dev.graft.formats.InputException;
import dev.graft.hub.Fingerprint;
import dev.graft.hub.Hub;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.JsonlWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a benchmark's task to train on. Without a validation split, a tenth of the training rows is used. The scored split is the
 * test split.
 */
final class SuiteRows {
    private static final double VALIDATION = 0.1;

    private SuiteRows() {}

    /**
     * Opens them.
     *
     * @param name such as {@code glue/rte}, for messages
     * @throws InputException if a file isn't there, or the benchmark has no rows to train on
     */
    static Splits open(String name, SuiteTask task, Path folder, Hub hub) {
        String trained = task.trainSplit();
        if (trained == null) {
            throw new InputException(name + " has no rows to train on: it is only scored, by graft eval --suite");
        }
        String validated = validated(task, folder);
        List<String> parts = new ArrayList<>(List.of(trained));
        if (validated != null) {
            parts.add(validated);
        }
        parts.addAll(task.scoredSplits());
        for (String part : parts) {
            if (!Files.exists(task.file(folder, part))) {
                throw new InputException(name + " has no " + task.file(folder, part)
                        + ", which is where the official files have it; found in " + folder + ": "
                        + Arrays.toString(folder.toFile().list()));
            }
        }
        Splits opened = task.openSplits(folder);
        String source = name + " of " + folder + (TwinMarker.isIn(folder) ? ": a twin, generated rows" : ": real rows");
        if (opened != null) {
            return noted(opened, source + "; the official test rows test");
        }
        List<Path> files = parts.stream()
                .flatMap(part -> task.files(folder, part).stream())
                .toList();
        String key = Fingerprint.of(files).substring(0, 16) + place(task, folder);
        Path made = hub.build(
                "suite-" + name.replace('/', '-') + "-" + key,
                rows -> JsonlWriter.write(splits(task, trained, validated, folder), rows));
        return noted(
                Splits.open(made, DataOptions.labelled(kind(task.question()))),
                source + "; "
                        + (validated == null
                                ? "a tenth of the training rows validates"
                                : "the rows of " + validated + " validate")
                        + ", those of " + String.join(" and ", task.scoredSplits()) + " test");
    }

    /** Rows of pictures say where these lie. */
    private static String place(SuiteTask task, Path folder) {
        return task instanceof Vtab
                ? "-" + Integer.toHexString(folder.toAbsolutePath().normalize().hashCode())
                : "";
    }

    /** The part that validates, if its file is there. */
    private static @Nullable String validated(SuiteTask task, Path folder) {
        String part = task.validationSplit();
        return part == null || !Files.exists(task.file(folder, part)) ? null : part;
    }

    private static Label.@Nullable Kind kind(SuiteQuestion question) {
        return switch (question) {
            case CLASS -> Label.Kind.ONE;
            case NUMBER -> Label.Kind.SCORE;
            case TAGS -> Label.Kind.EACH;
            default -> null;
        };
    }

    private static Splits noted(Splits splits, String note) {
        List<String> notes = new ArrayList<>(splits.notes());
        notes.add(note);
        return new Splits(splits.train(), splits.validation(), splits.test(), notes);
    }

    private static Splits splits(SuiteTask task, String trained, @Nullable String validated, Path folder) {
        List<Row> test = new ArrayList<>();
        task.scoredSplits().forEach(part -> test.addAll(rows(task, folder, part)));
        Splits splits = new Splits(
                named(task, folder, trained, rows(task, folder, trained)),
                validated == null ? null : named(task, folder, validated, rows(task, folder, validated)),
                named(task, folder, task.scoredSplits().get(0), test),
                List.of());
        return validated == null ? splits.withValidation(VALIDATION) : splits;
    }

    private static Rows named(SuiteTask task, Path folder, String part, List<Row> rows) {
        return Rows.of(task.file(folder, part).toString(), rows);
    }

    private static List<Row> rows(SuiteTask task, Path folder, String part) {
        return task.read(folder, part).stream().map(SuiteTask.Item::row).toList();
    }
}
