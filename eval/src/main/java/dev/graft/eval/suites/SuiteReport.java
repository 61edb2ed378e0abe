package dev.graft.eval.suites;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
     * @param parts the metrics of each part, in the order of {@link SuiteTask#scored}; empty where it wasn't scored
     * @param missing why it wasn't; null where it was
     */
    public record TaskScore(
            SuiteTask task,
            int rows,
            List<Map<String, Double>> parts,
            @Nullable String missing) {
        public TaskScore {
            parts = List.copyOf(parts);
        }

        /** The mean of the metrics of a part, and of the parts. */
        public double mean() {
            return parts.stream()
                    .mapToDouble(part -> part.values().stream()
                            .mapToDouble(value -> value)
                            .average()
                            .orElse(Double.NaN))
                    .average()
                    .orElse(Double.NaN);
        }
    }

    /** The tasks that count and have a score. */
    private List<TaskScore> counted() {
        return scores.stream()
                .filter(score -> score.task().counts() && score.missing() == null)
                .toList();
    }

    /** The official average, of the tasks' means; NaN if none has a score. */
    public double average() {
        return counted().stream().mapToDouble(TaskScore::mean).average().orElse(Double.NaN);
    }

    /** Whether every task that counts has a score. */
    public boolean isWhole() {
        return counted().size()
                == suite.tasks().stream().filter(SuiteTask::counts).count();
    }

    /** {@code 62.4 over 3 of 9 tasks}, in percent. */
    public String averageShown() {
        long all = suite.tasks().stream().filter(SuiteTask::counts).count();
        return counted().isEmpty()
                ? "no task was scored"
                : String.format(Locale.ROOT, "%.2f", 100 * average())
                        + (isWhole()
                                ? ""
                                : " over " + counted().size() + " of " + all + " tasks: not the official average");
    }

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("suite", suite.name());
        json.put("data", folder.toString());
        json.put("data_is", isTwin ? "twin" : "real");
        json.put("part", "dev");
        ObjectNode tasks = json.putObject("tasks");
        for (TaskScore score : scores) {
            ObjectNode task = tasks.putObject(score.task().title());
            if (score.missing() != null) {
                task.put("missing", score.missing());
                continue;
            }
            task.put("rows", score.rows());
            ArrayNode parts = task.putArray("parts");
            for (int i = 0; i < score.parts().size(); i++) {
                ObjectNode part =
                        parts.addObject().put("part", score.task().scored().get(i));
                score.parts().get(i).forEach(part::put);
            }
            task.put("mean", score.mean());
        }
        if (!counted().isEmpty()) {
            json.put("average", average());
        }
        json.put("tasks_in_average", counted().size());
        json.put("whole", isWhole());
        return json;
    }
}
