package dev.graft.eval.suites;

import dev.graft.eval.metrics.spans.Span;
import dev.graft.eval.metrics.spans.SpanF1;
import dev.graft.eval.metrics.spans.TagPrediction;
import dev.graft.eval.metrics.spans.TagScheme;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.files.Dataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Named entities of CoNLL-2003 (Tjong Kim Sang and De Meulder, 2003): F1 of whole entities as the official script and seqeval count them.
 * The official files mark the beginning of an entity only where it follows another of its kind (IOB1); rows have it marked always (BIO).
 */
record Conll2003() implements SuiteTask {
    /** The names of the official files, and those that are as usual. */
    private static final Map<String, List<String>> NAMES = Map.of(
            "train", List.of("eng.train", "train.txt"),
            "validation", List.of("eng.testa", "valid.txt", "dev.txt"),
            "test", List.of("eng.testb", "test.txt"));

    @Override
    public String title() {
        return "conll2003";
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.TAGS;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("test");
    }

    @Override
    public String validationSplit() {
        return "validation";
    }

    @Override
    public Path file(Path folder, String part) {
        List<Path> files = Objects.requireNonNull(NAMES.get(part)).stream()
                .map(folder::resolve)
                .toList();
        return files.stream().filter(Files::exists).findFirst().orElse(files.get(0));
    }

    @Override
    public List<Item> read(Path folder, String part) {
        List<Item> items = new ArrayList<>();
        try (Dataset rows = Dataset.open(file(folder, part), DataOptions.of(RowShape.WORDS, Map.of()))) {
            for (int i = 0; i < rows.size(); i++) {
                Row.Words row = (Row.Words) rows.get(i);
                items.add(new Item(row.with(new Label.Each(bio(tags(row))))));
            }
        }
        return items;
    }

    private static List<String> tags(Row row) {
        return Objects.requireNonNull(row.label()).names();
    }

    /** Converts tags of any scheme to IOB2, in which every entity begins with B. */
    static List<String> bio(List<String> tags) {
        List<String> bio = new ArrayList<>(Collections.nCopies(tags.size(), "O"));
        for (Span span : TagScheme.LENIENT.spans(tags)) {
            for (int i = span.from(); i < span.to(); i++) {
                bio.set(i, (i == span.from() ? "B-" : "I-") + span.type());
            }
        }
        return bio;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        SpanF1 f1 = new SpanF1(TagScheme.LENIENT);
        answers.forEach(answer -> f1.update(new TagPrediction(tags(answer.item().row()), answer.outputs())));
        return f1.values();
    }

    @Override
    public List<String> mainScores() {
        return List.of("f1");
    }
}
