package dev.graft.eval.demo;

import dev.graft.eval.report.Report;
import dev.graft.eval.report.Section;
import dev.graft.eval.report.Section.Bar;
import dev.graft.eval.report.Section.KeyFigure;
import dev.graft.eval.report.Section.Point;
import dev.graft.eval.report.Section.Series;
import dev.graft.eval.report.Section.YScale;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A demonstration's {@code report.html}. */
final class DemoPage {
    private DemoPage() {}

    static Report of(DemoResult result) {
        return new Report(
                "What kind of thing is it?",
                "LoRA on " + result.settings().model() + ": definitions of nouns from WordNet, "
                        + result.labels().size() + " kinds",
                List.of(
                        figures(result),
                        answers(result),
                        loss(result),
                        accuracy(result),
                        kinds(result),
                        new Section.Confusion(
                                "LoRA on the unseen rows",
                                result.labels(),
                                result.lora().confusion().counts()),
                        new Section.Text("How it was made", made(result)),
                        new Section.Code("Go on", next(result))));
    }

    private static Section figures(DemoResult r) {
        String probe = "linear probe: ";
        return new Section.KeyFigures(
                "",
                List.of(
                        new KeyFigure(
                                "accuracy",
                                score(r.lora().accuracy()),
                                probe + score(r.probe().accuracy())),
                        new KeyFigure(
                                "macro-F1",
                                score(r.lora().macroF1()),
                                probe + score(r.probe().macroF1())),
                        new KeyFigure(
                                "training",
                                number("%.0f s", r.lora().seconds()),
                                probe + number("%.0f s", r.probe().seconds())),
                        new KeyFigure("trained", number("%.2f %%", r.trainablePercent()), "of all parameters"),
                        new KeyFigure("adapter", number("%.1f MB", r.adapterBytes() / 1e6), "a folder as PEFT's"),
                        new KeyFigure(
                                "peak memory",
                                r.peakResident() == null ? "–" : number("%.0f MiB", r.peakResident() / 1048576.0),
                                "of the whole process")));
    }

    private static Section answers(DemoResult r) {
        List<List<String>> rows = new ArrayList<>();
        r.answers()
                .forEach((text, answer) ->
                        rows.add(List.of(text, answer.label(), number("%.3f", answer.probability()))));
        return new Section.Table("Asked afterwards", List.of("definition", "kind", "probability"), rows);
    }

    private static Section loss(DemoResult r) {
        List<Point> all = new ArrayList<>();
        List<Point> smooth = new ArrayList<>();
        double mean = 0;
        double weight = 0;
        for (int i = 0; i < r.steps().size(); i++) {
            double loss = r.steps().get(i);
            mean = 0.95 * mean + 0.05 * loss;
            weight = 0.95 * weight + 0.05;
            all.add(new Point(i + 1, loss));
            smooth.add(new Point(i + 1, mean / weight));
        }
        return new Section.LineChart(
                "Loss of LoRA's training",
                "step",
                "cross-entropy",
                YScale.LINEAR,
                List.of(new Series("each step", all), new Series("moving average", smooth)));
    }

    private static Section accuracy(DemoResult r) {
        List<Point> lora = new ArrayList<>();
        List<Point> probe = new ArrayList<>();
        double perEpoch = r.settings().epochs() / r.epochs().size();
        for (int i = 0; i < r.epochs().size(); i++) {
            lora.add(new Point((i + 1) * perEpoch, r.epochs().get(i)));
            probe.add(new Point((i + 1) * perEpoch, r.probe().accuracy()));
        }
        return new Section.LineChart(
                "Accuracy on the unseen rows",
                "epoch",
                "accuracy",
                YScale.LINEAR,
                List.of(new Series("LoRA", lora), new Series("linear probe", probe)));
    }

    private static Section kinds(DemoResult r) {
        List<Bar> bars = new ArrayList<>();
        for (int i = 0; i < r.labels().size(); i++) {
            double f1 = r.lora().confusion().scores(i).f1();
            bars.add(new Bar(r.labels().get(i), Math.round(1000 * f1) / 1000.0));
        }
        bars.sort((a, b) -> Double.compare(b.value(), a.value()));
        return new Section.BarChart("LoRA's F1 of each kind", "F1", bars);
    }

    private static String made(DemoResult r) {
        return String.format(
                Locale.ROOT,
                """
                %,d rows to train on and %,d to test, chosen by a hash of the definition, so that they are the same everywhere; no \
                definition is in both. The base is frozen, in %s.

                The linear probe is a classifier on the mean of the frozen base's last hidden states. LoRA has rank 16 and alpha 32 \
                on every linear layer, and trains the classifier with it: AdamW at %s, linear decay after 6 %% warm-up, batches of 32, %s \
                epochs; dropout of the base is 0.1, as BERT's. The probe's learning rate, weight decay and number of steps were chosen on a \
                tenth of the training rows, LoRA's settings not at all: they are usual ones. The accuracy on unseen rows after each \
                epoch is shown for the curve; nothing is chosen by it.

                %s

                Loaded in a fresh process the adapter gives %,d of %,d test rows the same kind (largest difference of a logit: %.1e). \
                Merged into the base, in fp32, it gives the adapted model's logits to %.1e on %,d rows.

                Measured on %s with %s cores; %s processes wanted a core when it ended. The whole took %.0f s after downloads.""",
                r.trainRows(),
                r.testRows(),
                r.dtype(),
                r.settings().learningRate(),
                r.settings().epochs(),
                r.trainableLine(),
                r.reloaded().rows() - r.reloaded().different(),
                r.reloaded().rows(),
                r.reloaded().maxDiff(),
                r.merged().maxDiff(),
                r.merged().rows(),
                r.machine().processor().value(),
                r.machine().cores().value(),
                r.load() < 0 ? "an unknown number of" : number("%.1f", r.load()),
                r.seconds());
    }

    private static String next(DemoResult r) {
        return String.join("\n", r.nextCommands());
    }

    private static String score(double value) {
        return number("%.3f", value);
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
