package dev.graft.eval.tasks;

import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** The registry of tasks: a new one is a line here. If several fit, the first one is used. */
public final class TaskTypes {
    /** Sequence to sequence: texts from texts, by encoder-decoders. */
    public static final TaskType SEQ2SEQ = new Seq2SeqTask();

    private static final List<TaskType> ALL = List.of(
            new ClassificationTask(),
            new ImageClassificationTask(),
            new ImageTextTask(),
            new CausalTask(),
            SEQ2SEQ,
            new TaggingTask(),
            new QuestionAnsweringTask(),
            new MultipleChoiceTask(),
            new MaskedLmTask(),
            new SegmentationTask(),
            PreferenceTask.DPO,
            PreferenceTask.ORPO,
            PreferenceTask.SIMPO,
            PreferenceTask.CPO,
            PreferenceTask.KTO,
            new RewardTask(),
            new EmbeddingTask());

    private TaskTypes() {}

    /** Returns all tasks that the option {@code task} can name, in the order of its help. */
    public static List<TaskType> named() {
        return ALL.stream().filter(type -> type.option() != null).toList();
    }

    /** Returns the task of that name, ignoring case; empty if there is none. */
    public static Optional<TaskType> named(String option) {
        return named().stream()
                .filter(type -> option.equalsIgnoreCase(type.option()))
                .findFirst();
    }

    /** Returns the default task of the rows; empty if they lack something, such as a label. */
    public static Optional<TaskType> usual(Dataset rows) {
        return first(type -> type.isUsualFor(rows.shape()));
    }

    /** The task that a model with that head can learn from rows. */
    static Optional<TaskType> of(Task head, Dataset rows) {
        return first(type -> type.head() == head && type.fits(rows));
    }

    /** Returns the task whose predictor answers rows with a model with that head. */
    public static Optional<TaskType> predicting(Task head, Rows rows) {
        return first(type -> type.head() == head && type.predicts(rows));
    }

    /** Returns the options of the tasks that learn rows of a shape and no other: {@code dpo, orpo or reward}. */
    static String namesOf(RowShape shape) {
        List<String> names = named().stream()
                .filter(type -> type.shapes().equals(List.of(shape)))
                .map(type -> Objects.requireNonNull(type.option()))
                .toList();
        int last = names.size() - 1;
        return last == 0 ? names.get(0) : String.join(", ", names.subList(0, last)) + " or " + names.get(last);
    }

    private static Optional<TaskType> first(Predicate<TaskType> condition) {
        return ALL.stream().filter(condition).findFirst();
    }

    /**
     * Returns the head for a task name of the option {@code task} or a {@code task_type} of PEFT, ignoring case.
     *
     * @throws InputException if there is none of that name
     */
    public static Task head(String name) {
        Optional<TaskType> type = named(name);
        if (type.isPresent()) {
            return type.get().head();
        }
        String upper = name.toUpperCase(Locale.ROOT);
        return Stream.of(Task.values())
                .filter(task -> task.name().equals(upper))
                .findFirst()
                .orElseThrow(() -> new InputException("task is \"" + name + "\", expected one of " + names()));
    }

    private static List<String> names() {
        List<String> names = new ArrayList<>(named().stream()
                .map(TaskType::option)
                .map(Objects::requireNonNull)
                .toList());
        Arrays.stream(Task.values())
                .map(task -> task.name().toLowerCase(Locale.ROOT))
                .forEach(names::add);
        return names;
    }
}
