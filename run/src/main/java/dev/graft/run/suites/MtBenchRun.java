package dev.graft.run.suites;

import dev.graft.eval.suites.chat.EndpointJudge;
import dev.graft.eval.suites.chat.FileJudge;
import dev.graft.eval.suites.chat.Judge;
import dev.graft.eval.suites.chat.MtBench;
import dev.graft.eval.suites.chat.MtMatches;
import dev.graft.eval.suites.chat.MtQuestion;
import dev.graft.eval.suites.chat.MtRatings;
import dev.graft.eval.suites.chat.RuleJudge;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A run of MT-Bench: generates answers and has them judged.
 *
 * @param judging the judge and its task
 */
public record MtBenchRun(
        Path folder,
        String model,
        List<String> adapters,
        ComputeSettings compute,
        JudgeSettings judging,
        SuiteRun.Limits limits,
        RunListener listener) {
    /** Stands for the model without an adapter. */
    private static final String BASE = "base";

    private static final int TOKENS = 1024;

    /**
     * The judgements.
     *
     * @param judge the name of the judge
     * @param questions the number of answered questions
     * @param all the number of all questions
     * @param against the opponent, {@code base} or an adapter; null if answers are rated
     * @param ratings the ratings; null if answers are compared
     * @param matches the comparisons; null if answers are rated
     */
    public record Result(
            Path folder,
            String judge,
            int questions,
            int all,
            @Nullable String against,
            @Nullable MtRatings ratings,
            @Nullable MtMatches matches) {}

    public Result run() {
        List<MtQuestion> all = MtQuestion.read(folder);
        List<MtQuestion> questions = all.subList(0, Math.min(all.size(), limits.maxRows()));
        Judge judge = judge();
        MtBench bench = new MtBench(questions, judge);
        Map<Integer, List<String>> answers = answers(questions, adapters, judging.answers());
        String against = judging.against();
        MtRatings ratings = null;
        MtMatches matches = null;
        if (against == null) {
            ratings = bench.rate(answers);
        } else {
            List<String> other = against.equals(BASE) ? List.of() : List.of(against);
            matches = bench.compare(answers, answers(questions, other, null));
        }
        return new Result(folder, judge.name(), questions.size(), all.size(), against, ratings, matches);
    }

    private Judge judge() {
        String name = judging.judge();
        if (name == null) {
            throw new InputException(
                    "mt-bench needs --judge: rule, a file of what people said, or the URL of a model such"
                            + " as http://localhost:8080/v1");
        }
        if (name.equals("rule")) {
            return new RuleJudge();
        }
        if (!name.matches("https?://.*")) {
            return new FileJudge(Path.of(name));
        }
        String by = judging.model();
        if (by == null) {
            throw new InputException("--judge is the URL " + name + ": name the model there by --judge-model");
        }
        return new EndpointJudge(name, by, System.getenv("GRAFT_JUDGE_KEY"), folder);
    }

    /** Those of a file, if it is there; else the model's, kept in it. */
    private Map<Integer, List<String>> answers(List<MtQuestion> questions, List<String> by, @Nullable Path file) {
        if (file != null && Files.exists(file)) {
            listener.onNotice("answers of " + file);
            return MtQuestion.answers(file);
        }
        LoadedModel loaded = LoadedModel.of(model, by, HeadSettings.DEFAULT, compute, listener);
        Integer tokens = limits.maxNewTokens();
        Map<Integer, List<String>> answers = MtBench.answer(
                questions, loaded.base(), loaded.selection().hooks(), loaded.chat(), tokens == null ? TOKENS : tokens);
        if (file != null) {
            AtomicWrite.text(file, MtQuestion.written(answers, model));
        }
        return answers;
    }
}
