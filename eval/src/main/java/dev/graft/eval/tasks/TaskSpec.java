package dev.graft.eval.tasks;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A task with the facts about the rows that it is trained on: it creates the encoder, the head's options and the scorer.
 *
 * <pre>{@code
 * TaskSpec task = TaskSpec.of((Dataset) splits.train(), null, TaskOptions.NONE);
 * Base base = Base.load(path, task.options(Base.Options.DEFAULT));
 * Examples train = Examples.encode(splits.train(), task.encoder(base, chat, LossOn.COMPLETION), 512, Overflow.DROP);
 * }</pre>
 */
public record TaskSpec(TaskType type, TaskRows rows) {
    /** The name of a regression's only output, as transformers calls it. */
    private static final List<String> SCORE = List.of("LABEL_0");

    /** Shapes that a message shows where no task is named. */
    private static final List<RowShape> USUAL =
            List.of(RowShape.CLASSIFICATION, RowShape.LABELLED_IMAGE, RowShape.CHAT);

    /**
     * Determines the task for the rows of a file.
     *
     * @param wanted the task; null to detect it from the rows
     * @throws InputException if the rows don't fit the task, or have no label
     */
    public static TaskSpec of(Dataset rows, @Nullable TaskType wanted, TaskOptions options) {
        TaskType type = wanted == null ? TaskTypes.usual(rows).orElse(null) : wanted.forShape(rows.shape());
        if (type == null || !type.fits(rows)) {
            throw unsupported(rows, wanted);
        }
        return new TaskSpec(
                type,
                new TaskRows(
                        rows.shape(),
                        type.kind(rows),
                        type.labels(rows),
                        type.objective(rows, options),
                        rows.hasUnanswerable()));
    }

    private static InputException unsupported(Dataset rows, @Nullable TaskType wanted) {
        String refusal = wanted == null ? null : wanted.refusal(rows.shape());
        if (wanted != null && refusal != null) {
            return new InputException(rows.place(0) + ": task is " + wanted.option() + ", but the rows are "
                    + rows.shape().title() + ", " + refusal + ", or set task to " + TaskTypes.namesOf(rows.shape()));
        }
        StringBuilder expected = new StringBuilder();
        List<RowShape> shapes = wanted == null ? USUAL : wanted.samples();
        shapes.forEach(shape -> expected.append("\n  ").append(shape.sample()));
        return new InputException(
                rows.place(0) + ": the rows are " + rows.shape().title() + ", but "
                        + (wanted == null ? "training" : wanted.purpose()) + " needs rows such as" + expected);
    }

    /**
     * Determines the task for rows and a trained model, whose outputs define the classes.
     *
     * @throws InputException if the model's head is for another task
     */
    public static TaskSpec of(Dataset rows, Base base) {
        TaskType type = TaskTypes.of(base.task(), rows)
                .orElseThrow(() -> new InputException(rows.place(0) + ": the rows are "
                        + rows.shape().title() + ", but " + base.name()
                        + " has a head for " + base.task()
                        + (base.task() == Task.FEATURE_EXTRACTION
                                ? "; name an adapter that was trained with a head"
                                : "")));
        Label.Kind kind = type.kind(rows);
        if (kind == Label.Kind.SCORE && base.labels().size() != 1) {
            throw new InputException(rows.place(0) + ": the labels are numbers to predict, but " + base.name() + " has "
                    + base.labels().size() + " classes");
        }
        Labels labels = kind == null
                ? type.labels(rows)
                : kind == Label.Kind.SCORE ? TaskRows.NO_LABELS : ClassLabels.ofOutputs(base.labels(), rows);
        return new TaskSpec(
                type,
                new TaskRows(
                        rows.shape(), kind, labels, type.objective(rows, TaskOptions.NONE), rows.hasUnanswerable()));
    }

    /** Returns the head that the model needs. */
    public Task task() {
        return type.head();
    }

    public RowShape shape() {
        return rows.shape();
    }

    /** Returns the kind of the labels; null for generation tasks. */
    public Label.@Nullable Kind kind() {
        return rows.kind();
    }

    public Labels labels() {
        return rows.labels();
    }

    public TrainingObjective objective() {
        return rows.objective();
    }

    /** Returns whether questions may have no answer. */
    public boolean hasUnanswerable() {
        return rows.hasUnanswerable();
    }

    /** Returns whether an option applies to the task. */
    public boolean knows(String option) {
        return type.options().contains(option);
    }

    /** Returns whether rows have pictures. */
    public boolean isImages() {
        return type.readsImages();
    }

    /** Returns options that give a base the head for this task. */
    public Base.Options options(Base.Options options) {
        Base.Options forTask = options.withTask(task());
        return kind() == null ? forTask : forTask.withLabels(names());
    }

    /** Returns the names of a classifier's outputs; empty for generation tasks. */
    public List<String> names() {
        return kind() == Label.Kind.SCORE ? SCORE : labels().names();
    }

    /**
     * Returns the treatment of rows that are too long.
     *
     * @param wanted the treatment to check; null for the default
     * @throws InputException if it doesn't apply to the task
     */
    public Overflow overflow(@Nullable Overflow wanted) {
        if (wanted != null && type.readsWindows()) {
            throw new InputException("overflow is " + wanted.name().toLowerCase(Locale.ROOT) + ", but long texts are"
                    + " read in windows here; leave it out");
        }
        return wanted != null ? wanted : type.overflow(shape());
    }

    /** Returns the encoder of rows with the default options. */
    public RowEncoder encoder(Base base, Supplier<Chat> chat, LossOn lossOn) {
        return encoder(base, chat, EncodingOptions.of(lossOn));
    }

    /**
     * Returns the encoder of rows.
     *
     * @param chat called for the chat template if a row is a conversation or an instruction
     */
    public RowEncoder encoder(Base base, Supplier<Chat> chat, EncodingOptions options) {
        return type.encoder(base, rows, chat, options);
    }

    /** Returns the scorer for such rows. */
    public Scorer<?> scorer() {
        return type.scorer(rows);
    }
}
