package dev.graft.eval.suites;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.text.Bleu;
import dev.graft.eval.metrics.text.ChrF;
import dev.graft.eval.metrics.text.Cider;
import dev.graft.eval.metrics.text.Meteor;
import dev.graft.eval.metrics.text.Nist;
import dev.graft.eval.metrics.text.Rouge;
import dev.graft.eval.metrics.text.Synonyms;
import dev.graft.eval.metrics.text.Ter;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A task whose generated texts are compared with references over the whole split. The metrics are BLEU and chrF2 with sacreBLEU's defaults,
 * TER, and ROUGE with stems. Data-to-text tasks also have METEOR, and NIST and CIDEr as in the E2E challenge.
 *
 * @param source reads its files
 * @param scoring the metrics to report
 * @param synonyms the synonyms of METEOR; null for none
 */
record TextGenerationTask(
        String title,
        PairSource source,
        Scoring scoring,
        @Nullable Synonyms synonyms) implements SuiteTask {
    private static final String NIST = "nist";
    private static final String CIDER = "cider";

    /** The source of a task's texts. */
    interface PairSource {
        /** The part that is scored. */
        default String scoredSplit() {
            return "test";
        }

        /** The part that chooses among settings. */
        default String validationSplit() {
            return "validation";
        }

        Path file(Path folder, String part);

        default List<Path> files(Path folder, String part) {
            return List.of(file(folder, part));
        }

        List<TextPair> read(Path folder, String part);
    }

    /**
     * A text with its references.
     *
     * @param group of texts that are also scored by themselves; empty for none
     */
    record TextPair(String prompt, List<String> references, String group) {
        TextPair {
            references = List.copyOf(references);
        }
    }

    /** The kind of generated text, which decides the scores. */
    enum Scoring {
        /** BLEU counts; also for each group. */
        DATA_TO_TEXT("bleu", GenerationLimits.LINE),
        /** The longest common subsequence counts. */
        SUMMARIES("rougeL", new GenerationLimits(128, List.of())),
        /** BLEU counts. */
        TRANSLATION("bleu", new GenerationLimits(256, List.of("\n")));

        private final String mainScore;
        private final GenerationLimits limits;

        Scoring(String counted, GenerationLimits limits) {
            this.mainScore = counted;
            this.limits = limits;
        }
    }

    TextGenerationTask(String title, PairSource source, Scoring scoring) {
        this(title, source, scoring, null);
    }

    @Override
    public SuiteTask with(Synonyms meaningAlike) {
        return scoring == Scoring.DATA_TO_TEXT ? new TextGenerationTask(title, source, scoring, meaningAlike) : this;
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.TEXT;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of(source.scoredSplit());
    }

    @Override
    public String validationSplit() {
        return source.validationSplit();
    }

    @Override
    public Path file(Path folder, String part) {
        return source.file(folder, part);
    }

    @Override
    public List<Path> files(Path folder, String part) {
        return source.files(folder, part);
    }

    @Override
    public GenerationLimits generationLimits() {
        return scoring.limits;
    }

    /** Reads training parts with a row for each reference. */
    @Override
    public List<Item> read(Path folder, String part) {
        List<Item> items = new ArrayList<>();
        for (TextPair pair : source.read(folder, part)) {
            List<String> learnt = part.equals(trainSplit())
                    ? pair.references()
                    : pair.references().subList(0, 1);
            for (String reference : learnt) {
                items.add(
                        new Item(new Row.Completion(pair.prompt(), " " + reference), pair.group(), pair.references()));
            }
        }
        if (items.isEmpty()) {
            throw new FormatException(file(folder, part), "has no texts");
        }
        return items;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        Map<String, Double> values = new LinkedHashMap<>();
        if (scoring != Scoring.SUMMARIES) {
            values.put("bleu", percent(new Bleu(), answers));
            values.put("chrf", percent(ChrF.characters(), answers));
            values.put("ter", percent(new Ter(), answers));
        }
        if (scoring != Scoring.TRANSLATION) {
            Rouge rouge = new Rouge(true);
            answers.forEach(answer -> rouge.update(prediction(answer)));
            values.putAll(rouge.values());
        }
        if (scoring == Scoring.DATA_TO_TEXT) {
            Meteor meteor = new Meteor(synonyms);
            values.put(meteor.name(), value(meteor, answers));
            values.put(NIST, value(new Nist(), answers));
            values.put(CIDER, value(new Cider(), answers));
        }
        Map<String, List<Answer>> groups = SuiteTask.groups(answers);
        if (groups.size() > 1) {
            groups.forEach((group, own) -> values.put("bleu_" + group, percent(new Bleu(), own)));
        }
        return values;
    }

    private static double percent(Metric<TextPrediction> metric, List<Answer> answers) {
        return value(metric, answers) / 100;
    }

    private static double value(Metric<TextPrediction> metric, List<Answer> answers) {
        answers.forEach(answer -> metric.update(prediction(answer)));
        return metric.value();
    }

    @Override
    public Set<String> nonPercentScores() {
        return Set.of(NIST, CIDER);
    }

    private static TextPrediction prediction(Answer answer) {
        return new TextPrediction(answer.label().strip(), answer.item().gold());
    }

    @Override
    public List<String> mainScores() {
        return List.of(scoring.mainScore);
    }
}
