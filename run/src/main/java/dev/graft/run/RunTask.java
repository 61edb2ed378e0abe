package dev.graft.run;

import dev.graft.eval.tasks.TaskSpec;
import dev.graft.eval.tasks.TaskType;
import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.InputException;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.run.config.RunConfig;
import dev.graft.train.data.Label;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.files.Dataset;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Determines the task of a run: from its config, else from its rows, else from its base. */
public record RunTask(RunConfig config) {

    /** Rejects settings that don't apply to the task that the config names. */
    void check() {
        TaskType named = config.goal().task().type();
        if (named != null) {
            RunTaskOptions options = new RunTaskOptions(config);
            options.requireKnown(named, null);
            named.check(options.options());
        }
    }

    /** The task that the rows require; null where texts are learnt as the base does, and no base has been read yet. */
    @Nullable
    TaskSpec of(Dataset rows) {
        TaskType named = config.goal().task().type();
        TaskType usual = named != null ? named : TaskTypes.usual(rows).orElse(null);
        return usual != null && (usual == named || !usual.dependsOnModel())
                ? suited(spec(rows, named), named == null)
                : null;
    }

    /**
     * Returns the task for the rows and a base with that checkpoint.
     *
     * @throws InputException if the rows don't fit the task or the base
     */
    public TaskSpec of(Dataset rows, PretrainedCheckpoint checkpoint) {
        TaskSpec known = of(rows);
        return known != null ? known : suited(spec(rows, answers(checkpoint) ? TaskTypes.SEQ2SEQ : null), true);
    }

    private TaskSpec spec(Dataset rows, @Nullable TaskType wanted) {
        return TaskSpec.of(rows, wanted, new RunTaskOptions(config).options());
    }

    /** Returns whether a model writes texts as an encoder-decoder does. */
    private static boolean answers(PretrainedCheckpoint checkpoint) {
        Set<Task> tasks = Architecture.of(checkpoint.config()).tasks();
        return tasks.contains(Task.SEQ_2_SEQ_LM) && !tasks.contains(Task.CAUSAL_LM);
    }

    private TaskSpec suited(TaskSpec taskSpec, boolean chosenByRows) {
        if ((taskSpec.kind() == null || taskSpec.kind() == Label.Kind.EACH)
                && config.goal().problemType() != RunConfig.ProblemType.AUTO) {
            throw new InputException(
                    "problem_type is " + config.goal().problemType().title() + ", but the rows are "
                            + taskSpec.shape().title() + ", which have no label; leave it out");
        }
        boolean namesNone = chosenByRows && taskSpec.objective().equals(TrainingObjective.SUPERVISED);
        new RunTaskOptions(config).requireKnown(taskSpec.type(), namesNone ? taskSpec.shape() : null);
        if (taskSpec.kind() != null
                && taskSpec.kind() != Label.Kind.ONE
                && taskSpec.kind() != Label.Kind.EACH
                && config.optimisation().labelSmoothing() > 0) {
            throw new InputException("label_smoothing spreads one label over all classes, which these rows ("
                    + taskSpec.shape().title() + ", "
                    + (taskSpec.labels().size() == 0 ? "regression" : "any number of labels a row")
                    + ") don't have; leave it out");
        }
        taskSpec.overflow(config.goal().overflow());
        new TeacherModel(config).check(taskSpec);
        return taskSpec;
    }
}
