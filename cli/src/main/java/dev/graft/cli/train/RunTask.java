package dev.graft.cli.train;

import dev.graft.cli.config.RunConfig;
import dev.graft.eval.run.RunData;
import dev.graft.formats.InputException;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Goal;
import dev.graft.train.data.Label;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a run learns: as its config says, or else its rows, or else its base. */
public record RunTask(RunConfig config) {

    /** Refuses settings that mean nothing for the task that the config names. */
    void check() {
        RunConfig.Task named = config.goal().task();
        if (named != RunConfig.Task.AUTO) {
            Goal goal = new Preferences(config).goal(named);
            requireSuits(task(named), goal);
        }
    }

    /** What the rows ask of a model; null where texts are learnt as the base, which nobody has looked at yet, does. */
    @Nullable
    RunData of(Dataset rows) {
        RunConfig.Task named = config.goal().task();
        Goal goal = new Preferences(config).goal(rows);
        if (goal != null) {
            return suited(RunData.of(rows, goal), goal);
        }
        return named == RunConfig.Task.AUTO && rows.labelKind() == null
                ? null
                : suited(RunData.of(rows, task(named)), null);
    }

    /** What the rows ask of a model with that checkpoint. */
    public RunData of(Dataset rows, Checkpoint checkpoint) {
        RunData known = of(rows);
        return known != null ? known : suited(RunData.of(rows, answers(checkpoint) ? Task.SEQ_2_SEQ_LM : null), null);
    }

    /** The task of a name; null where it is left to the rows. */
    private static @Nullable Task task(RunConfig.Task named) {
        return switch (named) {
            case AUTO -> null;
            case CLASSIFY -> Task.SEQ_CLS;
            case SEQ2SEQ -> Task.SEQ_2_SEQ_LM;
            case TAG -> Task.TOKEN_CLS;
            case ANSWER -> Task.QUESTION_ANS;
            case CHOOSE -> Task.MULTIPLE_CHOICE;
            case MASK -> Task.MASKED_LM;
            case SEMANTIC_SEGMENTATION -> Task.SEMANTIC_SEG;
            case CAUSAL, DPO, ORPO, KTO -> Task.CAUSAL_LM;
            case REWARD -> Task.SEQ_CLS;
        };
    }

    /** Whether a model writes texts as an encoder-decoder does. */
    private static boolean answers(Checkpoint checkpoint) {
        Set<Task> tasks = Architecture.of(checkpoint.config()).tasks();
        return tasks.contains(Task.SEQ_2_SEQ_LM) && !tasks.contains(Task.CAUSAL_LM);
    }

    private RunData suited(RunData data, @Nullable Goal goal) {
        if ((data.kind() == null || data.kind() == Label.Kind.EACH)
                && config.goal().problemType() != RunConfig.ProblemType.AUTO) {
            throw new InputException(
                    "problem_type is " + Prepared.name(config.goal().problemType()) + ", but the rows are "
                            + data.shape().title() + ", which have no label; leave it out");
        }
        requireSuits(data.task(), goal);
        if (data.kind() != null
                && data.kind() != Label.Kind.ONE
                && data.kind() != Label.Kind.EACH
                && config.optimisation().labelSmoothing() > 0) {
            throw new InputException("label_smoothing spreads one label over all classes, which these rows ("
                    + data.shape().title() + ", "
                    + (data.labels().size() == 0 ? "regression" : "any number of labels a row")
                    + ") don't have; leave it out");
        }
        Prepared.overflow(config, data);
        new ChosenTeacher(config).check(data);
        return data;
    }

    /** @param goal null where nothing is learnt from preferences */
    private void requireSuits(@Nullable Task task, @Nullable Goal goal) {
        if (task != Task.QUESTION_ANS && config.goal().stride() != null) {
            throw new InputException("stride is " + config.goal().stride()
                    + ", but only texts that questions are on are read in windows; leave it out");
        }
        if (task != Task.MASKED_LM && config.goal().maskShare() != null) {
            throw new InputException("mask_share is " + config.goal().maskShare()
                    + ", but nothing is masked; set task to mask, or leave it out");
        }
        if (config.goal().lossOn() != RunConfig.LossOn.COMPLETION && (task != Task.CAUSAL_LM || goal != null)) {
            throw new InputException(
                    "loss_on is " + Prepared.name(config.goal().lossOn())
                            + (task == Task.CAUSAL_LM
                                    ? ", but preferences are about the last answer; leave it out"
                                    : ", but a classifier has one answer a row; loss_on belongs to causal models, leave it out"));
        }
        if (config.schedule().packing() && (task != Task.CAUSAL_LM || goal != null)) {
            throw new InputException("packing is true, but only rows of causal models can be packed; leave it out");
        }
    }
}
