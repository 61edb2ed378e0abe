package dev.graft.eval.suites;

import dev.graft.eval.metrics.Accuracy;
import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.Matthews;
import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.MetricSet;
import dev.graft.eval.metrics.Pearson;
import dev.graft.eval.metrics.PrecisionRecallF1;
import dev.graft.eval.metrics.Spearman;
import dev.graft.eval.metrics.ValuePrediction;
import dev.graft.eval.suites.OfficialTsv.Line;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The nine tasks of GLUE and its diagnostic set (Wang et al., 2019), scored as {@code glue_metrics} does. */
enum Glue implements SuiteTask {
    COLA("CoLA", "sentence", null, "label", List.of("0", "1")) {
        @Override
        public Map<String, Double> score(List<Answer> answers) {
            return classes(answers, List.of(new Matthews(2)));
        }
    },
    SST2("SST-2", "sentence", null, "label", List.of("0", "1")),
    MRPC("MRPC", "#1 String", "#2 String", "Quality", List.of("0", "1")) {
        @Override
        public Map<String, Double> score(List<Answer> answers) {
            return withF1(answers);
        }
    },
    STSB("STS-B", "sentence1", "sentence2", "score", List.of()) {
        @Override
        public SuiteQuestion question() {
            return SuiteQuestion.NUMBER;
        }

        /** Predictions are clipped to the scale, 0 to 5. */
        @Override
        public Map<String, Double> score(List<Answer> answers) {
            MetricSet<ValuePrediction> set = new MetricSet<>(List.of(new Pearson(), new Spearman()));
            for (Answer answer : answers) {
                double target = ((Label.Score)
                                Objects.requireNonNull(answer.item().row().label()))
                        .value();
                set.update(new ValuePrediction(target, Math.max(0, Math.min(5, answer.value()))));
            }
            return set.values();
        }
    },
    QQP("QQP", "question1", "question2", "is_duplicate", List.of("0", "1")) {
        @Override
        public Map<String, Double> score(List<Answer> answers) {
            return withF1(answers);
        }
    },
    MNLI("MNLI", "sentence1", "sentence2", "gold_label", List.of("contradiction", "entailment", "neutral")) {
        @Override
        public List<String> scoredSplits() {
            return List.of("dev_matched", "dev_mismatched");
        }
    },
    QNLI("QNLI", "question", "sentence", "label", List.of("entailment", "not_entailment")),
    RTE("RTE", "sentence1", "sentence2", "label", List.of("entailment", "not_entailment")),
    WNLI("WNLI", "sentence1", "sentence2", "label", List.of("0", "1"));

    private static final List<String> COLA_FIELDS = List.of("source", "label", "star", "sentence");

    final String folder;
    final String text;
    final @Nullable String pair;
    final String label;
    final List<String> classes;

    Glue(String folder, String text, @Nullable String pair, String label, List<String> classes) {
        this.folder = folder;
        this.text = text;
        this.pair = pair;
        this.label = label;
        this.classes = classes;
    }

    @Override
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.CLASS;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("dev");
    }

    @Override
    public Path file(Path benchmark, String part) {
        return benchmark.resolve(folder).resolve(part + ".tsv");
    }

    @Override
    public List<Item> read(Path benchmark, String part) {
        Path file = file(benchmark, part);
        List<Line> lines = this == COLA ? OfficialTsv.read(file, COLA_FIELDS) : OfficialTsv.read(file);
        List<Item> items = new ArrayList<>();
        for (Line line : lines) {
            Label wanted = question() == SuiteQuestion.NUMBER
                    ? new Label.Score(line.number(label))
                    : new Label.One(line.oneOf(label, classes));
            items.add(new Item(new Row.Text(line.get(text), pair == null ? null : line.get(pair), wanted)));
        }
        return items;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        return classes(answers, List.of(new Accuracy()));
    }

    Map<String, Double> withF1(List<Answer> answers) {
        Map<String, Double> all = classes(answers, List.of(new Accuracy(), new PrecisionRecallF1(2, Average.BINARY)));
        return Map.of(
                "accuracy", Objects.requireNonNull(all.get("accuracy")), "f1", Objects.requireNonNull(all.get("f1")));
    }

    Map<String, Double> classes(List<Answer> answers, List<Metric<ClassPrediction>> metrics) {
        MetricSet<ClassPrediction> set = new MetricSet<>(metrics);
        for (Answer answer : answers) {
            String gold =
                    ((Label.One) Objects.requireNonNull(answer.item().row().label())).name();
            set.update(new ClassPrediction(classes.indexOf(gold), classes.indexOf(answer.label())));
        }
        return set.values();
    }
}
