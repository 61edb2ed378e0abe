package dev.graft.eval.suites;

import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.formats.FormatException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.files.Dataset;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;

/**
 * SQuAD (Rajpurkar et al., 2016, 2018), scored as its script does: the best over the references of a question; a question without an answer
 * has the empty reference. For 2.0 there are also the scores of questions with and without an answer, and the best scores over all
 * thresholds of the no-answer probability.
 */
enum Squad implements SuiteTask {
    V1("v1.1", SuiteQuestion.SPAN),
    V2("v2.0", SuiteQuestion.SPAN_OR_NONE);

    private static final String THRESHOLD = "_threshold";

    private final String version;
    private final SuiteQuestion question;

    Squad(String version, SuiteQuestion question) {
        this.version = version;
        this.question = question;
    }

    @Override
    public String title() {
        return version;
    }

    @Override
    public SuiteQuestion question() {
        return question;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("dev");
    }

    @Override
    public Path file(Path folder, String part) {
        return folder.resolve(part + "-" + version + ".json");
    }

    @Override
    public List<Item> read(Path folder, String part) {
        List<Item> items = new ArrayList<>();
        try (Dataset rows = Dataset.open(file(folder, part), DataOptions.of(RowShape.QUESTION, Map.of()))) {
            for (int i = 0; i < rows.size(); i++) {
                Row.Question row = (Row.Question) rows.get(i);
                List<Row.Answer> answers = row.answers() == null ? List.of() : row.answers();
                if (answers.isEmpty() && this == V1) {
                    throw new FormatException(
                            rows.place(i), "has a question without an answer, which SQuAD 1.1 doesn't have", null);
                }
                items.add(new Item(
                        row,
                        answers.isEmpty() ? "none" : "has",
                        answers.isEmpty()
                                ? List.of("")
                                : answers.stream().map(Row.Answer::text).toList()));
            }
        }
        return items;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        Map<String, Double> values = new LinkedHashMap<>();
        score("", answers, answer -> true, values);
        if (this == V2) {
            score("has_answer_", answers, answer -> answer.item().group().equals("has"), values);
            score("no_answer_", answers, answer -> answer.item().group().equals("none"), values);
            for (String metric : List.of("exact_match", "f1")) {
                best(metric, answers, values);
            }
        }
        return values;
    }

    /** Adds the lowest threshold of the best score, as the script's {@code find_best_thresh}. */
    private static void best(String metric, List<Answer> answers, Map<String, Double> values) {
        List<Answer> surest = answers.stream()
                .sorted(Comparator.comparingDouble(Answer::value))
                .toList();
        double score = answers.stream()
                .filter(answer -> answer.item().group().equals("none"))
                .count();
        double best = score;
        double threshold = 0;
        for (Answer answer : surest) {
            String text = answer.outputs().isEmpty()
                    ? ""
                    : answer.outputs().get(answer.outputs().size() - 1);
            if (answer.item().group().equals("none")) {
                score -= text.isEmpty() ? 0 : 1;
            } else {
                SquadScore one = new SquadScore();
                one.update(new TextPrediction(text, answer.item().gold()));
                score += Objects.requireNonNull(one.values().get(metric)) / 100;
            }
            if (score > best) {
                best = score;
                threshold = answer.value();
            }
        }
        values.put("best_" + metric, best / answers.size());
        values.put("best_" + metric + THRESHOLD, threshold);
    }

    @Override
    public Set<String> nonPercentScores() {
        return Set.of("best_exact_match" + THRESHOLD, "best_f1" + THRESHOLD);
    }

    private static void score(
            String prefix, List<Answer> answers, Predicate<Answer> which, Map<String, Double> values) {
        SquadScore score = new SquadScore();
        List<Answer> chosen = answers.stream().filter(which).toList();
        chosen.forEach(answer ->
                score.update(new TextPrediction(answer.label(), answer.item().gold())));
        if (!chosen.isEmpty()) {
            score.values().forEach((name, value) -> values.put(prefix + name, value / 100));
        }
    }

    @Override
    public List<String> mainScores() {
        return List.of("f1");
    }
}
