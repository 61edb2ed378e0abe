package dev.graft.eval.suites;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a model scored on a benchmark.
 *
 * @param isTwin whether the rows were generated
 */
public record SuiteReport(Suite suite, Path folder, boolean isTwin, List<TaskScore> scores) {
    public SuiteReport {
        scores = List.copyOf(scores);
    }

    /**
     * The official metrics of a task.
     *
     * @param rows that were scored
     * @param all the rows that there are
     * @param parts the metrics of each part, in the order of {@link SuiteTask#scored}; empty where it wasn't scored
     * @param notes what is to be known of them
     * @param missing why it wasn't; null where it was
     */
    public record TaskScore(
            SuiteTask task,
            int rows,
            int all,
            List<Map<String, Double>> parts,
            List<String> notes,
            @Nullable String missing) {
        public TaskScore {
            parts = List.copyOf(parts);
            notes = List.copyOf(notes);
        }

        /** A task that wasn't scored. */
        public static TaskScore missing(SuiteTask task, String why) {
            return new TaskScore(task, 0, 0, List.of(), List.of(), why);
        }

        /** Whether every row was scored. */
        boolean isWhole() {
            return missing == null && rows == all;
        }

        /** The mean of the metrics of a part that count, and of the parts. */
        public double mean() {
            List<String> counted = task.counted();
            return SuiteReport.mean(parts.stream()
                    .mapToDouble(part -> SuiteReport.mean(part.entrySet().stream()
                            .filter(metric -> counted.isEmpty() || counted.contains(metric.getKey()))
                            .mapToDouble(Map.Entry::getValue))));
        }
    }

    /** The tasks that count and have a score. */
    private List<TaskScore> counted() {
        return scores.stream()
                .filter(score -> score.task().counts() && score.missing() == null)
                .toList();
    }

    private static double mean(DoubleStream values) {
        return values.average().orElse(Double.NaN);
    }

    /** The official average, of the tasks' means; NaN if none has a score. */
    public double average() {
        return mean(counted().stream().mapToDouble(TaskScore::mean));
    }

    /** The means of groups of tasks, where the benchmark has groups; else empty. */
    public Map<String, Double> groups() {
        Map<String, Double> groups = new LinkedHashMap<>();
        counted().stream()
                .filter(score -> !score.task().group().isEmpty())
                .collect(Collectors.groupingBy(score -> score.task().group(), LinkedHashMap::new, Collectors.toList()))
                .forEach((group, own) -> groups.put(group, mean(own.stream().mapToDouble(TaskScore::mean))));
        return groups;
    }

    /** The mean of the groups' means; NaN without groups. */
    public double groupAverage() {
        return mean(groups().values().stream().mapToDouble(value -> value));
    }

    /** Whether every task that counts has a score, on all of its rows. */
    public boolean isWhole() {
        return counted().size()
                        == suite.tasks().stream().filter(SuiteTask::counts).count()
                && counted().stream().allMatch(TaskScore::isWhole);
    }

    /** {@code 62.4 over 3 of 9 tasks}, in percent. */
    public String averageShown() {
        long all = suite.tasks().stream().filter(SuiteTask::counts).count();
        return counted().isEmpty()
                ? "no task was scored"
                : String.format(Locale.ROOT, "%.2f", 100 * average())
                        + (isWhole()
                                ? ""
                                : " over " + counted().size() + " of " + all + " tasks"
                                        + (counted().stream().allMatch(TaskScore::isWhole)
                                                ? ""
                                                : " and a part of the rows")
                                        + ": not the official average");
    }

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("suite", suite.name());
        json.put("data", folder.toString());
        json.put("data_is", isTwin ? "twin" : "real");
        ObjectNode tasks = json.putObject("tasks");
        for (TaskScore score : scores) {
            ObjectNode task = tasks.putObject(score.task().title());
            if (score.missing() != null) {
                task.put("missing", score.missing());
                continue;
            }
            task.put("rows", score.rows());
            if (!score.isWhole()) {
                task.put("of_rows", score.all());
            }
            ArrayNode parts = task.putArray("parts");
            for (int i = 0; i < score.parts().size(); i++) {
                ObjectNode part =
                        parts.addObject().put("part", score.task().scored().get(i));
                score.parts().get(i).forEach(part::put);
            }
            task.put("mean", score.mean());
            if (!score.notes().isEmpty()) {
                ArrayNode notes = task.putArray("notes");
                score.notes().forEach(notes::add);
            }
        }
        if (!counted().isEmpty()) {
            json.put("average", average());
        }
        if (!groups().isEmpty()) {
            ObjectNode groups = json.putObject("groups");
            groups().forEach(groups::put);
            json.put("average_of_groups", groupAverage());
        }
        json.put("tasks_in_average", counted().size());
        json.put("whole", isWhole());
        return json;
    }
}
