package dev.graft.parity;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.text.Bleu;
import dev.graft.eval.metrics.text.BleuTokenizer;
import dev.graft.eval.metrics.text.ChrF;
import dev.graft.eval.metrics.text.Rouge;
import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.Ter;
import dev.graft.eval.metrics.text.TextPrediction;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;

/** Scores of text against SQuAD's script, sacreBLEU and rouge_score. */
final class TextMetricsParity {

    private TextMetricsParity() {}

    static void squad(CaseCheck check, JsonNode stored) {
        String prediction = stored.path("prediction").asString();
        check.same(
                "normalised",
                SquadScore.normalise(prediction),
                stored.path("normalised").asString());
        SquadScore score = new SquadScore();
        score.update(new TextPrediction(prediction, MetricsParity.strings(stored.path("answers"))));
        MetricsParity.number(check, "f1", MetricsParity.value(score, "f1") / 100, stored.path("f1"));
        MetricsParity.number(
                check, "exact match", MetricsParity.value(score, "exact_match") / 100, stored.path("exact_match"));
    }

    static void rouge(CaseCheck check, JsonNode stored) {
        for (Rouge.Kind kind : Rouge.Kind.values()) {
            MetricsParity.scores(
                    check,
                    kind,
                    Rouge.score(
                            kind,
                            stored.path("prediction").asString(),
                            stored.path("target").asString(),
                            stored.path("stemmer").booleanValue()),
                    stored.path(kind.toString()));
        }
    }

    /** One metric over the corpus that the file gives once for all of them. */
    static void sacreBleu(CaseCheck check, JsonNode stored, JsonNode file) {
        String name = stored.path("metric").asString();
        Supplier<Metric<TextPrediction>> metric = metric(name);
        List<TextPrediction> rows = new ArrayList<>();
        for (int i = 0; i < file.path("hypotheses").size(); i++) {
            rows.add(new TextPrediction(
                    file.path("hypotheses").get(i).asString(),
                    MetricsParity.strings(file.path("references").get(i))));
        }
        List<TextPrediction> first = rows.stream()
                .map(row ->
                        new TextPrediction(row.prediction(), row.references().get(0)))
                .toList();
        Metric<TextPrediction> corpus = score(metric, rows);
        MetricsParity.number(check, "score", corpus.value(), stored.path("score"));
        MetricsParity.number(
                check,
                "score of the first references",
                score(metric, first).value(),
                stored.path("score_first_reference_only"));
        if (corpus instanceof Bleu bleu) {
            MetricsParity.numbers(
                    check,
                    "precision",
                    java.util.Arrays.stream(bleu.precisions()).boxed().toList(),
                    stored.path("precisions"));
            MetricsParity.number(check, "brevity penalty", bleu.brevityPenalty(), stored.path("bp"));
            check.same(
                    "output length", bleu.outputLength(), stored.path("sys_len").longValue());
            check.same(
                    "reference length",
                    bleu.referenceLength(),
                    stored.path("ref_len").longValue());
            sentences(check, sentenceBleu(name), rows, stored.path("sentences_effective_order"));
        } else {
            sentences(check, metric, rows, stored.path("sentences"));
        }
    }

    private static void sentences(
            CaseCheck check, Supplier<Metric<TextPrediction>> metric, List<TextPrediction> rows, JsonNode expected) {
        for (int i = 0; i < expected.size(); i++) {
            MetricsParity.number(
                    check, "sentence " + i, score(metric, List.of(rows.get(i))).value(), expected.get(i));
        }
    }

    private static Metric<TextPrediction> score(Supplier<Metric<TextPrediction>> metric, List<TextPrediction> rows) {
        Metric<TextPrediction> fresh = metric.get();
        rows.forEach(fresh::update);
        return fresh;
    }

    private static Supplier<Metric<TextPrediction>> sentenceBleu(String name) {
        Bleu.Options plain = Bleu.Options.DEFAULT;
        return () -> new Bleu(
                new Bleu.Options(plain.tokenizer(), name.equals("bleu-lc"), plain.order(), plain.smoothing(), true));
    }

    private static Supplier<Metric<TextPrediction>> metric(String name) {
        Set<String> known =
                Set.of("bleu", "bleu-lc", "bleu-char", "bleu-intl", "bleu-none", "bleu-order2", "bleu-floor");
        if (known.contains(name) || name.equals("bleu-addk")) {
            BleuTokenizer tokenizer = switch (name) {
                case "bleu-char" -> BleuTokenizer.CHARACTERS;
                case "bleu-intl" -> BleuTokenizer.UNICODE;
                case "bleu-none" -> BleuTokenizer.NONE;
                default -> BleuTokenizer.INTERNATIONAL_13A;
            };
            Bleu.Smoothing smoothing = switch (name) {
                case "bleu-floor" -> Bleu.Smoothing.FLOOR;
                case "bleu-addk" -> Bleu.Smoothing.ADD_K;
                default -> Bleu.Smoothing.EXP;
            };
            int order = name.equals("bleu-order2") ? 2 : 4;
            return () -> new Bleu(new Bleu.Options(tokenizer, name.equals("bleu-lc"), order, smoothing, false));
        }
        return switch (name) {
            case "chrf" -> ChrF::characters;
            case "chrf++" -> ChrF::withWords;
            case "chrf-lc" -> () -> ChrF.characters().ignoringCase();
            case "ter" -> Ter::new;
            case "ter-normalized" -> () -> new Ter(true, true);
            case "ter-nopunct" -> () -> new Ter(false, false);
            default -> throw new NotCoveredException("there is no metric " + name);
        };
    }
}
