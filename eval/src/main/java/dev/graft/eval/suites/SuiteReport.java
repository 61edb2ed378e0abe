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
 * The scores of a model on a benchmark.
 *
 * @param isTwin true if the rows were generated
 */
public record SuiteReport(Suite suite, Path folder, boolean isTwin, List<TaskScore> scores) {
    public SuiteReport {
        scores = List.copyOf(scores);
    }

    /**
     * The official metrics of a task.
     *
     * @param rows the number of scored rows
     * @param all the number of all rows
     * @param parts the metrics of each split, in the order of {@link SuiteTask#scoredSplits}; empty if the task wasn't scored
     * @param notes remarks on the scores
     * @param missing the reason why the task wasn't scored; null if it was
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

        /** Creates the entry of a task that wasn't scored. */
        public static TaskScore missing(SuiteTask task, String why) {
            return new TaskScore(task, 0, 0, List.of(), List.of(), why);
        }

        /** Returns whether every row was scored. */
        boolean isComplete() {
            return missing == null && rows == all;
        }

        /** Returns the mean over splits of the mean of the main metrics. */
        public double mean() {
            List<String> counted = task.mainScores();
            return SuiteReport.mean(parts.stream()
                    .mapToDouble(part -> SuiteReport.mean(part.entrySet().stream()
                            .filter(metric -> counted.isEmpty() || counted.contains(metric.getKey()))
                            .mapToDouble(Map.Entry::getValue))));
        }
    }

    /** The tasks that count and have a score. */
    private List<TaskScore> countedTasks() {
        return scores.stream()
                .filter(score -> score.task().countsInAverage() && score.missing() == null)
                .toList();
    }

    private static double mean(DoubleStream values) {
        return values.average().orElse(Double.NaN);
    }

    /** Returns the official average, the mean of the tasks' means; NaN if none has a score. */
    public double average() {
        return mean(countedTasks().stream().mapToDouble(TaskScore::mean));
    }

    /** Returns the means of groups of tasks; empty if the benchmark has no groups. */
    public Map<String, Double> groups() {
        Map<String, Double> groups = new LinkedHashMap<>();
        countedTasks().stream()
                .filter(score -> !score.task().group().isEmpty())
                .collect(Collectors.groupingBy(score -> score.task().group(), LinkedHashMap::new, Collectors.toList()))
                .forEach((group, own) -> groups.put(group, mean(own.stream().mapToDouble(TaskScore::mean))));
        return groups;
    }

    /** Returns the mean of the groups' means; NaN without groups. */
    public double groupAverage() {
        return mean(groups().values().stream().mapToDouble(value -> value));
    }

    /** Returns whether every task that counts has a score, on all of its rows. */
    public boolean isComplete() {
        return countedTasks().size()
                        == suite.tasks().stream()
                                .filter(SuiteTask::countsInAverage)
                                .count()
                && countedTasks().stream().allMatch(TaskScore::isComplete);
    }

    /** Returns the average in percent, as in {@code 62.4 over 3 of 9 tasks}. */
    public String averageText() {
        long all = suite.tasks().stream().filter(SuiteTask::countsInAverage).count();
        return countedTasks().isEmpty()
                ? "no task was scored"
                : String.format(Locale.ROOT, "%.2f", 100 * average())
                        + (isComplete()
                                ? ""
                                : " over " + countedTasks().size() + " of " + all + " tasks"
                                        + (countedTasks().stream().allMatch(TaskScore::isComplete)
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
            if (!score.isComplete()) {
                task.put("of_rows", score.all());
            }
            ArrayNode parts = task.putArray("parts");
            for (int i = 0; i < score.parts().size(); i++) {
                ObjectNode part = parts.addObject()
                        .put("part", score.task().scoredSplits().get(i));
                score.parts().get(i).forEach(part::put);
            }
            task.put("mean", score.mean());
            if (!score.notes().isEmpty()) {
                ArrayNode notes = task.putArray("notes");
                score.notes().forEach(notes::add);
            }
        }
        if (!countedTasks().isEmpty()) {
            json.put("average", average());
        }
        if (!groups().isEmpty()) {
            ObjectNode groups = json.putObject("groups");
            groups().forEach(groups::put);
            json.put("average_of_groups", groupAverage());
        }
        json.put("tasks_in_average", countedTasks().size());
        json.put("whole", isComplete());
        return json;
    }
}
