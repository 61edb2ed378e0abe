package dev.graft.cli.train;

import dev.graft.cli.config.ResolvedConfig;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Figures;
import dev.graft.eval.cost.CostMeter;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.train.TrainPlan;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchPlan;
import dev.graft.train.data.Example;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Image;
import dev.graft.train.data.MaskedText;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Objective;
import java.time.Duration;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;

/** What a run would do. It tries the batch that needs most memory, and writes nothing. */
record DryRun(RunConfig config, Prepared prepared, String command) {
    private static final int SAMPLES = 3;

    String text() {
        return ResolvedConfig.write(config, command) + "\n" + plan() + "\n" + memory() + "\n" + samples()
                + "\nDry run: nothing was trained or written.\n";
    }

    private String plan() {
        TrainPlan plan = prepared.plan();
        TrainSettings settings = prepared.settings();
        Examples train = prepared.train();
        StringBuilder text = new StringBuilder("# Plan\n");
        prepared.notes().forEach(note -> text.append(note).append('\n'));
        text.append("training: ").append(train.summary().text()).append('\n');
        Examples validation = prepared.validation();
        if (validation != null) {
            text.append("validation: ").append(validation.summary().text()).append('\n');
        }
        Examples test = prepared.test();
        if (test != null) {
            text.append("test: ").append(test.summary().text()).append('\n');
        }
        text.append(prepared.adapter().trainableLine()).append('\n');
        text.append(String.format(
                Locale.ROOT,
                "%,d steps of %d x %d rows, %,d a pass over the rows, %.2f passes%s",
                plan.totalSteps(),
                settings.batching().accumulation(),
                settings.batching().size(),
                plan.stepsPerEpoch(),
                plan.epochs(),
                prepared.task().isImages()
                        ? ""
                        : String.format(
                                Locale.ROOT,
                                ", %,d tokens",
                                Math.round(plan.epochs() * train.summary().tokens()))));
        text.append(String.format(
                Locale.ROOT,
                "%nlearning rate %s, %s, %,d steps of warm-up%n",
                settings.optimization().learningRate(),
                settings.optimization().schedule().schedule(),
                plan.warmupSteps()));
        return text.toString();
    }

    private String memory() {
        Adapter adapter = prepared.adapter();
        Base base = adapter.base();
        Examples train = prepared.train();
        TrainSettings settings = prepared.settings();
        int[][] batches = new BatchPlan(
                        train.lengths(),
                        settings.batching().size(),
                        settings.batching().order(),
                        settings.seed(),
                        settings.batching().longestFirst())
                .epoch(0);
        Batch batch = train.batch(batches[0], 0);
        Objective objective = Objective.of(base, settings.optimization().labelSmoothing());
        Hooks hooks = Selection.of(adapter).hooks();
        long start = System.nanoTime();
        Long peak;
        try (CostMeter meter = CostMeter.start()) {
            objective.backward(hooks, batch, objective.terms(hooks, batch));
            peak = meter.read().peakResident().value();
        }
        long nanos = System.nanoTime() - start;
        long weights =
                base.parameters().values().stream().mapToLong(Tensor::nbytes).sum();
        // The parameters, their gradients, AdamW's two moments and the best values so far.
        long states = 4 * 5 * adapter.trainableCount();
        StringBuilder text = new StringBuilder("# Memory\n");
        text.append("base ")
                .append(Figures.bytes(weights))
                .append(" (")
                .append(dtype(base))
                .append("), adapter with");
        text.append(" gradients, optimiser state and best values ")
                .append(Figures.bytes(states))
                .append('\n');
        text.append("tried the batch that needs most: ")
                .append(batch.rows())
                .append(prepared.task().isImages() ? " images, " : " rows of " + batch.width() + " tokens, ")
                .append(Figures.duration(Duration.ofNanos(nanos)));
        if (peak != null) {
            // Of the states the parameters and their gradients are there by now.
            text.append("; the process will need about ").append(Figures.bytes(peak + states * 3 / 5));
        }
        return text.append('\n').toString();
    }

    private static String dtype(Base base) {
        return Loading.dtype(base);
    }

    private String samples() {
        StringBuilder text = new StringBuilder("# Samples");
        boolean texts = prepared.task().kind() == null;
        text.append(texts ? "; the model learns to write what stands in ⟦ ⟧\n" : "\n");
        Examples train = prepared.train();
        for (int i = 0; i < Math.min(SAMPLES, train.size()); i++) {
            Example example = train.get(i);
            text.append("--- row ")
                    .append(example.row() + 1)
                    .append(example.image() == null ? ", " + example.length() + " tokens" : "");
            if (!texts) {
                text.append(", ").append(answer(example.target()));
            }
            text.append('\n').append(shown(example)).append('\n');
        }
        return text.toString();
    }

    private String shown(Example example) {
        if (example.image() != null) {
            return prepared.splits().train().place(example.row()) + "\n" + values(example.image());
        }
        RowShape shape = prepared.task().shape();
        if (shape == RowShape.TOKENS || shape == RowShape.LABELLED_TOKENS) {
            return plain(example);
        }
        Tokenizer tokenizer = prepared.adapter().base().tokenizer();
        return MaskedText.of(example, tokenizer);
    }

    private static String values(Image image) {
        DoubleSummaryStatistics values = new DoubleSummaryStatistics();
        for (float value : image.values()) {
            values.accept(value);
        }
        return String.format(
                Locale.ROOT,
                "%d x %d points, values from %.2f to %.2f, mean %.2f",
                image.width(),
                image.height(),
                values.getMin(),
                values.getMax(),
                values.getAverage());
    }

    /** Rows of ids come without a tokenizer. */
    private static String plain(Example example) {
        String text = "input_ids " + Arrays.toString(example.ids());
        return example.target() instanceof Target.Tokens tokens
                ? text + "\nlabels    " + Arrays.toString(tokens.labels())
                : text;
    }

    private String answer(Target target) {
        if (target instanceof Target.ClassId one) {
            return "label " + prepared.task().names().get(one.id()) + " (" + one.id() + ")";
        }
        if (target instanceof Target.Score score) {
            return "score " + score.value();
        }
        return "labels " + Arrays.toString(((Target.MultiHot) target).classes());
    }
}
