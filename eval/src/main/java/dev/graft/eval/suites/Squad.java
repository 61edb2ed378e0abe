package dev.graft.eval.suites;

import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.formats.FormatException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * SQuAD (Rajpurkar et al., 2016, 2018), scored as its script does: the best over the references of a question, a question without an answer
 * having the empty one. Of 2.0 the same is also stated for the questions that have an answer, and those that have none.
 */
enum Squad implements SuiteTask {
    V1("v1.1", Ask.SPAN),
    V2("v2.0", Ask.SPAN_OR_NONE);

    private final String version;
    private final Ask asks;

    Squad(String version, Ask asks) {
        this.version = version;
        this.asks = asks;
    }

    @Override
    public String title() {
        return version;
    }

    @Override
    public Ask asks() {
        return asks;
    }

    @Override
    public List<String> scored() {
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
        }
        return values;
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
    public List<String> counted() {
        return List.of("f1");
    }
}
