package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A task: its row shapes, the head, the encoder, the loss, the metrics, the predictor and the defaults of a recipe. {@link TaskTypes} lists
 * all tasks; to add one, add a class and a line there.
 */
public interface TaskType {
    /**
     * The defaults of a recipe.
     *
     * @param learningRate the learning rate of LoRA; other methods scale it
     */
    record Defaults(double learningRate, int batchSize) {}

    /** Returns the value of the option {@code task}; null for a task that is only selected by its rows. */
    @Nullable
    String option();

    /** Returns the head that the model needs. */
    Task head();

    /** Returns the shapes of its rows. */
    List<RowShape> shapes();

    /** Returns the task in words for messages, such as {@code tagging words}. */
    default String purpose() {
        return "training";
    }

    /**
     * Returns the reason why rows of a shape, which other tasks learn, are rejected, and what to do; null if the shapes of {@link #samples} say
     * enough.
     */
    default @Nullable String refusal(RowShape shape) {
        return null;
    }

    /** Returns the shapes to show in a message about unsuitable rows. */
    default List<RowShape> samples() {
        return shapes();
    }

    /** Returns the shape in which to read files whose keys fit several shapes; null if the keys decide. */
    default @Nullable RowShape forcedShape() {
        return null;
    }

    /** Returns whether a data set has rows for this task. */
    default boolean fits(Dataset rows) {
        return shapes().contains(rows.shape());
    }

    /** Returns whether this task is the default for rows of a shape. */
    default boolean isUsualFor(RowShape shape) {
        return shapes().contains(shape);
    }

    /** Returns whether an encoder-decoder is trained on the same rows by another task. */
    default boolean dependsOnModel() {
        return false;
    }

    /** Returns the task of the same name for rows of that shape: images have a task of their own. */
    default TaskType forShape(RowShape shape) {
        return this;
    }

    /** Returns the options that apply to it, beyond those of every run. */
    default Set<String> options() {
        return Set.of("label_smoothing");
    }

    /**
     * Checks options before any rows are read.
     *
     * @throws dev.graft.formats.InputException if a value is out of its range
     */
    default void check(TaskOptions options) {}

    /** Returns the training objective for the rows. */
    default TrainingObjective objective(Dataset rows, TaskOptions options) {
        return TrainingObjective.SUPERVISED;
    }

    /** Returns the kind of the labels; null for generation tasks. */
    default Label.@Nullable Kind kind(Dataset rows) {
        return null;
    }

    /** Returns the classes of the rows; empty for generation tasks. */
    default Labels labels(Dataset rows) {
        return TaskRows.NO_LABELS;
    }

    /**
     * Returns the encoder of rows.
     *
     * @param chat called for the chat template if a row is a conversation or an instruction
     */
    RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options);

    /** Returns the scorer for rows. */
    Scorer<?> scorer(TaskRows rows);

    /** Returns whether this task's predictor answers such rows with a model with its head. */
    default boolean predicts(Rows rows) {
        return true;
    }

    /** Returns the predictor for rows. */
    RowPredictor predictor(PredictionModel model, PredictionOptions options);

    /** Returns whether long texts are read in windows, so that no length is too long. */
    default boolean readsWindows() {
        return false;
    }

    /** Returns the default treatment of rows that are too long. */
    default Overflow overflow(RowShape shape) {
        return Overflow.DROP;
    }

    /** Returns whether rows have pictures. */
    default boolean readsImages() {
        return false;
    }

    /** Returns the defaults of a recipe for it. */
    default Defaults defaults() {
        return new Defaults(1e-3, 8);
    }
}
