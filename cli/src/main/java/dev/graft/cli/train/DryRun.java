package dev.graft.cli.train;

import dev.graft.eval.cost.ProcessMemory;
import dev.graft.models.Task;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.run.MemoryLimit;
import dev.graft.run.PreparedRun;
import dev.graft.run.config.MemorySize;
import dev.graft.run.config.RecipeWriter;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.Resume;
import dev.graft.train.TrainPlan;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import dev.graft.train.data.Example;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Image;
import dev.graft.train.data.Label;
import dev.graft.train.data.MaskedText;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Target;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;

/** A preview of a run. It tries the batch that needs most memory on the prepared adapter, and writes nothing. */
record DryRun(PreparedRun prepared, String command) {
    private static final int SAMPLES = 3;
    private static final int STEPS = 2;

    String text() {
        return RecipeWriter.write(prepared.config(), command) + "\n" + plan() + "\n" + memory() + "\n" + samples()
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
                prepared.taskSpec().isImages()
                        ? ""
                        : String.format(
                                Locale.ROOT,
                                ", %,d tokens",
                                Math.round(plan.epochs() * train.summary().tokens()))));
        Double head = settings.optimization().headRate();
        text.append(String.format(
                Locale.ROOT,
                "%nlearning rate %s%s, %s, %,d steps of warm-up%n",
                settings.optimization().learningRate(),
                head == null
                                || !prepared.adapter().trainable().keySet().stream()
                                        .anyMatch(prepared.adapter().config()::savesWhole)
                        ? ""
                        : ", of the head " + head,
                settings.optimization().schedule().schedule(),
                plan.warmupSteps()));
        return text.toString();
    }

    /** Two steps as in the run, of which the first has the batch that needs most. */
    private String memory() {
        TrainSettings settings = prepared.settings();
        Examples train = prepared.train();
        MemorySize limit = prepared.config().economy().memoryLimit();
        MemoryEstimate estimate =
                MemoryEstimate.of(settings, prepared.adapter(), train, limit == null ? Long.MAX_VALUE : limit.bytes());
        long[] done = {0};
        TrainingListener count = new TrainingListener() {
            @Override
            public void onStep(Stepped stepped) {
                done[0]++;
            }
        };
        new Trainer(settings, prepared.adapter(), train, null, null, List.of(count))
                .run(Resume.NEVER, () -> done[0] >= STEPS);
        Long peak = ProcessMemory.peakResident().value();
        StringBuilder text = new StringBuilder("# Memory\n");
        if (estimate != null) {
            text.append("estimate: ").append(estimate.text()).append('\n');
        }
        int rows = Math.min(settings.batching().size(), train.size());
        int width = Arrays.stream(train.lengths()).max().orElse(0);
        text.append("tried the batch that needs most: ")
                .append(rows)
                .append(prepared.taskSpec().isImages() ? " images, " : " rows of " + width + " tokens, ")
                .append(done[0])
                .append(" steps");
        if (peak != null) {
            text.append("; the process took ").append(UnitFormat.bytes(peak));
        }
        if (limit != null && estimate != null && peak != null) {
            text.append('\n').append(new MemoryLimit(limit.bytes()).judged(estimate, peak));
        }
        return text.append('\n').toString();
    }

    private String samples() {
        StringBuilder text = new StringBuilder("# Samples");
        Target first = prepared.train().get(0).target();
        boolean masked = prepared.taskSpec().task() == Task.MASKED_LM;
        boolean texts = masked || first instanceof Target.Tokens || first instanceof Target.Judged;
        text.append(texts ? "; the model learns to write what stands in ⟦ ⟧\n" : "\n");
        Examples train = prepared.train();
        for (int i = 0; i < Math.min(SAMPLES, train.size()); i++) {
            Example example = train.get(i, 1);
            text.append("--- row ")
                    .append(example.row() + 1)
                    .append(example.image() == null ? ", " + example.length() + " tokens" : "");
            if (!texts && !(example.target() instanceof Target.InPlace)) {
                text.append(", ").append(answer(example.target()));
            }
            text.append('\n').append(shown(example)).append('\n');
            for (Example other : example.others()) {
                text.append(texts ? "--- rejected, " : "--- or, ")
                        .append(other.length())
                        .append(" tokens\n");
                text.append(shown(other)).append('\n');
            }
        }
        return text.toString();
    }

    private String shown(Example example) {
        if (example.image() != null) {
            return prepared.splits().train().place(example.row()) + "\n" + values(example.image());
        }
        RowShape shape = prepared.taskSpec().shape();
        if (shape == RowShape.TOKENS || shape == RowShape.LABELLED_TOKENS) {
            return plain(example);
        }
        Tokenizer tokenizer = prepared.adapter().base().tokenizer();
        if (prepared.taskSpec().kind() == Label.Kind.EACH && example.target() instanceof Target.InPlace tags) {
            return tagged(example.ids(), tags.labels(), tokenizer);
        }
        return MaskedText.of(example, tokenizer);
    }

    /** Tokens with the tags of those that have one: {@code Ada/B-PER wrote/O}. */
    private String tagged(int[] ids, int[] labels, Tokenizer tokenizer) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < ids.length; i++) {
            text.append(i == 0 ? "" : " ")
                    .append(tokenizer.decode(new int[] {ids[i]}, false).strip());
            if (labels[i] != Target.NONE) {
                text.append('/').append(prepared.taskSpec().names().get(labels[i]));
            }
        }
        return text.toString();
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
        if (target instanceof Target.ClassId one && prepared.taskSpec().task() == Task.MULTIPLE_CHOICE) {
            return "choice " + one.id() + " is correct";
        }
        if (target instanceof Target.ClassId one) {
            return "label " + prepared.taskSpec().names().get(one.id()) + " (" + one.id() + ")";
        }
        if (target instanceof Target.Span span) {
            return span.end() == 0
                    ? "no answer"
                    : "answer \""
                            + span.passage()
                                    .text(
                                            span.passage().from()[span.start()],
                                            span.passage().to()[span.end()]) + "\"";
        }
        if (target instanceof Target.Score score) {
            return "score " + score.value();
        }
        if (target instanceof Target.Pixels points) {
            return points.labelled() + " points with a class";
        }
        if (target instanceof Target.Match) {
            return prepared.taskSpec().isImages() ? "with its text" : "belongs to the next text";
        }
        return "labels " + Arrays.toString(((Target.MultiHot) target).classes());
    }
}
