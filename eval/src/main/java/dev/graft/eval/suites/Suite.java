package dev.graft.eval.suites;

import dev.graft.eval.metrics.text.Synonyms;
import dev.graft.eval.suites.WrittenTask.Scoring;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.train.data.Splits;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * A benchmark.
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
            new Suite("e2e", List.of(new WrittenTask("e2e", DataToText.E2E, Scoring.DATA_TO_TEXT))),
            new Suite("webnlg", List.of(new WrittenTask("webnlg", new WebNlg(), Scoring.DATA_TO_TEXT))),
            new Suite("dart", List.of(new WrittenTask("dart", DataToText.DART, Scoring.DATA_TO_TEXT))),
            new Suite("xsum", List.of(ParallelLines.summaries())),
            new Suite(WMT, List.of()),
            new Suite("lama", List.of(Lama.values())),
            new Suite("gsm8k", List.of(new Gsm8k())),
            new Suite("bbh", Bbh.all()),
            new Suite("cifar", List.of(PictureTask.CIFAR10, PictureTask.CIFAR100)),
            new Suite("imagenet", List.of(PictureTask.IMAGENET)),
            new Suite("vtab", Vtab.all()));

    /** A file beside those of a benchmark that was generated. */
    static final String TWIN = "TWIN.txt";

    private static final int TWIN_ROWS = 1000;

    /** What writes a twin. */
    private interface Twin {
        void write(Path folder, long seed, int rows);
    }

    /** Of every suite. */
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

    /** Their names. */
    public static List<String> names() {
        return ALL.stream().map(Suite::name).toList();
    }

    /** @throws InputException if there is none of that name */
    public static Suite named(String name) {
        return ALL.stream()
                .filter(suite -> suite.name.equals(name))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "there is no suite " + name + ", but " + String.join(", ", names()) + ", coco, mt-bench"));
    }

    /** The same with the tasks that its folder has, where these differ from folder to folder. */
    public Suite in(Path folder) {
        return name.equals(WMT) ? new Suite(name, ParallelLines.translations(folder)) : this;
    }

    /**
     * The same with METEOR by synonyms.
     *
     * @throws InputException if none of its tasks states METEOR
     */
    public Suite with(Synonyms synonyms) {
        Suite changed =
                new Suite(name, tasks.stream().map(task -> task.with(synonyms)).toList());
        if (changed.equals(this)) {
            throw new InputException("no task of " + name + " is scored by METEOR, which has synonyms");
        }
        return changed;
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
     * The folder of the official files.
     *
     * @param data its path, or {@code twin} for one that is generated
     * @throws InputException if it isn't there
     */
    public Path folder(String data, Hub hub) {
        if (!data.equals("twin")) {
            Path folder = Path.of(data);
            if (!Files.isDirectory(folder)) {
                throw new InputException(folder + " is no folder; expected that of the official files of " + name);
            }
            return folder;
        }
        return hub.made("twin-" + name + "-4", folder -> writeTwin(name, folder, 1, TWIN_ROWS));
    }

    /** Writes a suite's twin into an empty folder. */
    static void writeTwin(String name, Path folder, long seed, int rows) {
        Objects.requireNonNull(TWINS.get(name)).write(folder, seed, rows);
    }

    /**
     * The rows of a task, written as files once for each content of the official ones.
     *
     * @param name such as {@code glue/rte}; the suite alone where it has a single task
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

    /** Whether the files in a folder were generated, not collected. */
    public static boolean isTwin(Path folder) {
        return Files.exists(folder.resolve(TWIN));
    }
}
