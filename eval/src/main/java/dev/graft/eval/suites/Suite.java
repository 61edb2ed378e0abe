package dev.graft.eval.suites;

import dev.graft.formats.InputException;
import dev.graft.hub.Fingerprint;
import dev.graft.hub.Hub;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
import dev.graft.train.data.sets.RowsFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A benchmark.
 *
 * <pre>{@code
 * Splits rows = Suite.open("glue/rte", "/data/glue", new Hub());
 * }</pre>
 */
public record Suite(String name, List<SuiteTask> tasks) {
    private static final List<Suite> ALL =
            List.of(new Suite("glue", List.of(Glue.values())), new Suite("superglue", List.of(SuperGlue.values())));

    /** A file beside those of a benchmark that was generated. */
    static final String TWIN = "TWIN.txt";

    private static final int TWIN_ROWS = 1000;

    public Suite {
        tasks = List.copyOf(tasks);
    }

    /** @throws InputException if there is none of that name */
    public static Suite named(String name) {
        return ALL.stream()
                .filter(suite -> suite.name.equals(name))
                .findFirst()
                .orElseThrow(() -> new InputException("there is no suite " + name + ", but "
                        + ALL.stream().map(Suite::name).collect(Collectors.joining(", "))));
    }

    /** @throws InputException if there is none of that name */
    public SuiteTask task(String title) {
        return tasks.stream()
                .filter(task -> task.title().equals(title))
                .findFirst()
                .orElseThrow(() -> new InputException("there is no task " + title + " in " + name + ", but "
                        + tasks.stream().map(SuiteTask::title).collect(Collectors.joining(", "))));
    }

    /**
     * The task that {@code glue/rte} names.
     *
     * @throws InputException if there is none of that name
     */
    public static SuiteTask taskNamed(String name) {
        String[] parts = name.split("/", -1);
        if (parts.length != 2) {
            throw new InputException("a suite's task is named such as glue/rte, found " + name);
        }
        return named(parts[0]).task(parts[1]);
    }

    /**
     * The folder of the official files.
     *
     * @param data its path, or {@code twin} for one that is generated
     * @throws InputException if it isn't there, or there is no twin
     */
    public Path folder(String data, Hub hub) {
        if (!data.equals("twin")) {
            Path folder = Path.of(data);
            if (!Files.isDirectory(folder)) {
                throw new InputException(folder + " is no folder; expected that of the official files of " + name);
            }
            return folder;
        }
        if (!name.equals("glue")) {
            throw new InputException(
                    "there is no twin of " + name + ", but of glue; give the folder of its official files");
        }
        return hub.made("twin-glue-1", folder -> GlueTwin.write(folder, 1, TWIN_ROWS));
    }

    /**
     * The rows of a task as files, written once for each content of the official ones.
     *
     * @param task such as {@code glue/rte}
     * @param data as for {@link #folder}
     */
    public static Splits open(String task, String data, Hub hub) {
        SuiteTask named = taskNamed(task);
        Path folder = named(task.split("/")[0]).folder(data, hub);
        List<Path> files = new ArrayList<>(List.of(named.file(folder, "train")));
        named.scored().forEach(part -> files.add(named.file(folder, part)));
        for (Path file : files) {
            if (!Files.exists(file)) {
                throw new InputException(
                        task + " has no " + file + ", which is where the official files have it; found in " + folder
                                + ": " + Arrays.toString(folder.toFile().list()));
            }
        }
        String content = Fingerprint.of(files).substring(0, 16);
        Path made = hub.made(
                "suite-" + task.replace('/', '-') + "-" + content, rows -> RowsFile.write(splits(named, folder), rows));
        Splits splits =
                Splits.open(made, new DataOptions(Map.of(), null, named.isScore() ? Label.Kind.SCORE : Label.Kind.ONE));
        List<String> notes = new ArrayList<>(splits.notes());
        notes.add(task + " of " + folder + (isTwin(folder) ? ": a twin, generated rows" : ": real rows")
                + "; a tenth of the training rows validates, the dev rows test");
        return new Splits(splits.train(), splits.validation(), splits.test(), notes);
    }

    /** Whether the files in a folder were generated, not collected. */
    public static boolean isTwin(Path folder) {
        return Files.exists(folder.resolve(TWIN));
    }

    /**
     * The rows of a task: those to train on without a tenth to validate on, and those with public labels to test on. The official test
     * rows have no labels.
     */
    static Splits splits(SuiteTask task, Path folder) {
        List<Row> test = new ArrayList<>();
        task.scored().forEach(part -> test.addAll(rows(task, folder, part)));
        String name = task.file(folder, "train").toString();
        return new Splits(
                        Rows.of(name, rows(task, folder, "train")),
                        null,
                        Rows.of(task.file(folder, task.scored().get(0)).toString(), test),
                        List.of())
                .withValidation(0.1);
    }

    private static List<Row> rows(SuiteTask task, Path folder, String part) {
        return task.read(folder, part).stream().map(SuiteTask.Item::row).toList();
    }
}
