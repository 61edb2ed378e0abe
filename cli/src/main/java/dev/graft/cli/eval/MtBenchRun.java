package dev.graft.cli.eval;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.suites.Suite;
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
import dev.graft.formats.Json;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * MT-Bench.
 *
 * @param judging who judges
 */
record MtBenchRun(
        Path folder,
        String model,
        List<String> adapters,
        ComputeOptions compute,
        JudgeOptions judging,
        SuiteRun.Limits limits,
        PrintWriter err) {
    /** Stands for the model without an adapter. */
    private static final String BASE = "base";

    private static final int TOKENS = 1024;

    String shown(boolean json) {
        List<MtQuestion> all = MtQuestion.read(folder);
        List<MtQuestion> questions = all.subList(0, Math.min(all.size(), limits.maxRows()));
        Judge judge = judge();
        MtBench bench = new MtBench(questions, judge);
        Map<Integer, List<String>> answers = answers(questions, adapters, judging.answers());
        String against = judging.against();
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        report.put("suite", "mt-bench").put("data", folder.toString());
        report.put("data_is", Suite.isTwin(folder) ? "twin" : "real").put("judge", judge.name());
        report.put("questions", questions.size());
        if (questions.size() < all.size()) {
            report.put("of_questions", all.size());
        }
        Table table = new Table("metric", "value");
        if (against == null) {
            rate(bench.rate(answers), report, table);
        } else {
            List<String> other = against.equals(BASE) ? List.of() : List.of(against);
            report.put("against", against);
            compare(bench.compare(answers, answers(questions, other, null)), report, table);
        }
        return json
                ? Json.pretty(report)
                : "mt-bench, " + folder + (Suite.isTwin(folder) ? ": a twin, generated rows" : " (real)") + ", "
                        + questions.size() + " of " + all.size() + " questions of two turns, judged by "
                        + judge.name() + "\n" + table;
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
            err.println("answers of " + file);
            return MtQuestion.answers(file);
        }
        Loading loading = Loading.of(model, by, new HeadOptions(), compute, err);
        Integer tokens = limits.maxNewTokens();
        Map<Integer, List<String>> answers = MtBench.answer(
                questions,
                loading.base(),
                loading.selection().hooks(),
                loading.chat(),
                tokens == null ? TOKENS : tokens);
        if (file != null) {
            AtomicWrite.text(file, MtQuestion.written(answers, model));
        }
        return answers;
    }

    private static void rate(MtRatings ratings, ObjectNode report, Table table) {
        ratings.means().forEach((name, mean) -> {
            if (Double.isFinite(mean)) {
                report.put(name, mean);
                table.row(name, number(mean));
            }
        });
        report.put("unreadable", ratings.failures()).put("not_judged", ratings.unrated());
        table.row("judgements that can't be read", Long.toString(ratings.failures()));
        table.row("turns the judge says nothing of", Long.toString(ratings.unrated()));
    }

    private static void compare(MtMatches matches, ObjectNode report, Table table) {
        report.put("wins", matches.wins()).put("losses", matches.losses()).put("ties", matches.ties());
        report.put("order_decided", matches.inconsistent()).put("unreadable", matches.failures());
        table.row("wins", Long.toString(matches.wins()));
        table.row("losses", Long.toString(matches.losses()));
        table.row("ties", Long.toString(matches.ties()));
        table.row("of them decided by the order", Long.toString(matches.inconsistent()));
        table.row("judgements that can't be read", Long.toString(matches.failures()));
        if (Double.isFinite(matches.winRate())) {
            report.put("win_rate_adjusted", matches.winRate());
            table.row("wins and half of the ties", number(matches.winRate()));
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }
}
