package dev.graft.eval.suites;

import dev.graft.eval.metrics.text.Synonyms;
import dev.graft.eval.suites.TextGenerationTask.Scoring;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.train.data.files.Splits;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * A benchmark: its name and its tasks.
 *
 * <pre>{@code
 * Splits rows = Suite.open("glue/rte", "/data/glue", new Hub());
 * }</pre>
 */
public record Suite(String name, List<SuiteTask> tasks) {
    private static final String WMT = "wmt";

    private static final List<Suite> ALL = List.of(
            new Suite("glue", List.of(Glue.values())),
            new Suite("superglue", List.of(SuperGlue.values())),
            new Suite("squad", List.of(Squad.values())),
            new Suite("conll2003", List.of(new Conll2003())),
            new Suite("e2e", List.of(new TextGenerationTask("e2e", DataToText.E2E, Scoring.DATA_TO_TEXT))),
            new Suite("webnlg", List.of(new TextGenerationTask("webnlg", new WebNlg(), Scoring.DATA_TO_TEXT))),
            new Suite("dart", List.of(new TextGenerationTask("dart", DataToText.DART, Scoring.DATA_TO_TEXT))),
            new Suite("xsum", List.of(ParallelCorpus.summaries())),
            new Suite(WMT, List.of()),
            new Suite("lama", List.of(Lama.values())),
            new Suite("gsm8k", List.of(new Gsm8k())),
            new Suite("bbh", Bbh.all()),
            new Suite("cifar", List.of(ImageClassificationTask.CIFAR10, ImageClassificationTask.CIFAR100)),
            new Suite("imagenet", List.of(ImageClassificationTask.IMAGENET)),
            new Suite("vtab", Vtab.all()));

    private static final int TWIN_ROWS = 1000;

    /** Writes a twin. */
    private interface Twin {
        void write(Path folder, long seed, int rows);
    }

    /** Writers of twins by the names of their suites. */
    private static final Map<String, Twin> TWINS = Map.ofEntries(
            Map.entry("glue", GlueTwin::write),
            Map.entry("superglue", SuperGlueTwin::write),
            Map.entry("squad", SquadTwin::write),
            Map.entry("conll2003", ConllTwin::write),
            Map.entry("e2e", DataToTextTwin::e2e),
            Map.entry("webnlg", DataToTextTwin::webNlg),
            Map.entry("dart", DataToTextTwin::dart),
            Map.entry("xsum", XsumTwin::write),
            Map.entry("gsm8k", Gsm8kTwin::write),
            Map.entry("lama", (folder, seed, rows) -> LamaTwin.write(folder, seed)),
            Map.entry("bbh", (folder, seed, rows) -> BbhTwin.write(folder, seed)),
            Map.entry(WMT, WmtTwin::write),
            Map.entry("cifar", PictureTwin::cifar),
            Map.entry("imagenet", PictureTwin::imageNet),
            Map.entry("vtab", PictureTwin::vtab));

    public Suite {
        tasks = List.copyOf(tasks);
    }

    /** Returns the names of all suites. */
    public static List<String> names() {
        return ALL.stream().map(Suite::name).toList();
    }

    /**
     * Returns the suite of that name.
     *
     * @throws InputException if there is none
     */
    public static Suite named(String name) {
        return ALL.stream()
                .filter(suite -> suite.name.equals(name))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "there is no suite " + name + ", but " + String.join(", ", names()) + ", coco, mt-bench"));
    }

    /** Returns this suite with the tasks found in its folder, for suites whose tasks depend on the files. */
    public Suite in(Path folder) {
        return name.equals(WMT) ? new Suite(name, ParallelCorpus.translations(folder)) : this;
    }

    /**
     * Returns this suite with METEOR by synonyms.
     *
     * @throws InputException if none of its tasks reports METEOR
     */
    public Suite with(Synonyms synonyms) {
        Suite changed =
                new Suite(name, tasks.stream().map(task -> task.with(synonyms)).toList());
        if (changed.equals(this)) {
            throw new InputException("no task of " + name + " is scored by METEOR, which has synonyms");
        }
        return changed;
    }

    /**
     * Returns the task of that title.
     *
     * @throws InputException if there is none
     */
    public SuiteTask task(String title) {
        return tasks.stream()
                .filter(task -> task.title().equals(title))
                .findFirst()
                .orElseThrow(() -> new InputException("there is no task " + title + " in " + name + ", but "
                        + tasks.stream().map(SuiteTask::title).collect(Collectors.joining(", "))));
    }

    /**
     * Returns the folder of the official files.
     *
     * @param data its path, or {@code twin} for a generated one
     * @throws InputException if it doesn't exist
     */
    public Path folder(String data, Hub hub) {
        if (!data.equals("twin")) {
            Path folder = Path.of(data);
            if (!Files.isDirectory(folder)) {
                throw new InputException(folder + " is no folder; expected that of the official files of " + name);
            }
            return folder;
        }
        return hub.build("twin-" + name + "-4", folder -> writeTwin(name, folder, 1, TWIN_ROWS));
    }

    /** Writes a suite's twin into an empty folder. */
    static void writeTwin(String name, Path folder, long seed, int rows) {
        Objects.requireNonNull(TWINS.get(name)).write(folder, seed, rows);
    }

    /**
     * Opens the rows of a task to train on. They are converted once for each content of the official files.
     *
     * @param name a name such as {@code glue/rte}, or that of a suite with a single task
     * @param data as for {@link #folder}
     */
    public static Splits open(String name, String data, Hub hub) {
        String[] parts = name.split("/", -1);
        Suite known = named(parts[0]);
        if (!known.tasks.isEmpty()) {
            known.taskOf(name, parts);
        }
        Path folder = known.folder(data, hub);
        SuiteTask task = known.in(folder).taskOf(name, parts);
        return SuiteRows.open(name, task, folder, hub);
    }

    private SuiteTask taskOf(String whole, String[] parts) {
        if (parts.length > 2 || (parts.length == 1 && tasks.size() > 1)) {
            throw new InputException("a suite's task is named such as glue/rte, found " + whole);
        }
        return parts.length == 1 ? tasks.get(0) : task(parts[1]);
    }

    /** Returns whether the files in a folder were generated, not collected. */
    public static boolean isTwin(Path folder) {
        return TwinMarker.isIn(folder);
    }
}
