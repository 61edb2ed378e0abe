package dev.graft.run.suites;

import dev.graft.eval.suites.Suite;
import dev.graft.eval.suites.SuitePredictor;
import dev.graft.eval.suites.SuiteReport;
import dev.graft.eval.suites.SuiteReport.TaskScore;
import dev.graft.eval.suites.SuiteTask;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Scores a model on the tasks of a benchmark, each with an adapter of its own. */
public record SuiteRun(
        Suite suite,
        Path folder,
        String model,
        List<String> adapters,
        HeadSettings head,
        ComputeSettings compute,
        Limits limits,
        RunListener listener) {
    /**
     * The limits of rows and answers.
     *
     * @param maxLength the maximum number of tokens of a row
     * @param maxNewTokens the maximum number of tokens of a generated answer; null for the default of the task
     * @param maxRows the maximum number of rows of a split
     */
    public record Limits(
            int batchSize, int maxLength, @Nullable Integer maxNewTokens, int maxRows) {}

    /** Stands for the task's name in the names of adapters. */
    private static final String TASK = "{task}";

    /**
     * Scores the tasks.
     *
     * @param titles the titles of the tasks to score; empty for all
     */
    public SuiteReport run(List<String> titles) {
        titles.forEach(suite::task);
        List<TaskScore> scores = new ArrayList<>();
        for (SuiteTask task : suite.tasks()) {
            if (titles.isEmpty() || titles.contains(task.title())) {
                scores.add(score(task));
            }
        }
        return new SuiteReport(suite, folder, Suite.isTwin(folder), scores);
    }

    private TaskScore score(SuiteTask task) {
        List<String> own = adapters.stream()
                .map(adapter -> adapter.replace(TASK, task.title()))
                .toList();
        for (String adapter : own) {
            if (adapters.stream().anyMatch(name -> name.contains(TASK)) && !Files.exists(Path.of(adapter))) {
                return TaskScore.missing(task, "there is no " + adapter);
            }
        }
        Path first = task.file(folder, task.scoredSplits().get(0));
        if (!Files.exists(first)) {
            return TaskScore.missing(task, "there is no " + first);
        }
        LoadedModel loaded = LoadedModel.of(model, own, head, compute, listener);
        SuitePredictor predictor = new SuitePredictor(
                loaded.base(),
                loaded.selection().hooks(),
                limits.batchSize(),
                limits.maxLength(),
                limits.maxNewTokens());
        List<Map<String, Double>> parts = new ArrayList<>();
        List<String> notes = new ArrayList<>();
        int rows = 0;
        int all = 0;
        for (String part : task.scoredSplits()) {
            List<Item> items = task.read(folder, part);
            List<Item> some = items.subList(0, Math.min(items.size(), limits.maxRows()));
            listener.onNotice(task.file(folder, part) + ": " + some.size() + " rows"
                    + (some.size() == items.size() ? "" : " of " + items.size()));
            List<Answer> answers = predictor.answer(task, folder, some);
            parts.add(task.score(answers));
            notes.addAll(task.notes(answers));
            rows += some.size();
            all += items.size();
        }
        return new TaskScore(task, rows, all, parts, notes, null);
    }
}
