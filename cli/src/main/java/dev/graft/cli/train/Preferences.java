package dev.graft.cli.train;

import dev.graft.cli.config.Preference;
import dev.graft.cli.config.RunConfig;
import dev.graft.formats.InputException;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Goal;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What a config says about learning from preferences. */
record Preferences(RunConfig config) {
    private static final double BETA = 0.1;

    /** The task that rows are for, where nobody says. */
    private RunConfig.Task task(Dataset rows) {
        RunConfig.Task wanted = config.goal().task();
        boolean prefers = rows.shape() == RowShape.PREFERENCE || rows.shape() == RowShape.JUDGED;
        if (wanted == RunConfig.Task.CAUSAL && prefers) {
            throw new InputException(rows.place(0) + ": task is causal, but the rows are "
                    + rows.shape().title() + ", of which some are not to be imitated; set task to "
                    + (rows.shape() == RowShape.JUDGED ? "kto" : "dpo, orpo or reward")
                    + ", or write the good answers alone, such as " + RowShape.PROMPT_COMPLETION.sample());
        }
        if (wanted != RunConfig.Task.AUTO) {
            return wanted;
        }
        return rows.shape() == RowShape.PREFERENCE
                ? RunConfig.Task.DPO
                : rows.shape() == RowShape.JUDGED ? RunConfig.Task.KTO : wanted;
    }

    /** The goal of rows; null where nothing is learnt from preferences. */
    @Nullable
    Goal goal(Dataset rows) {
        RunConfig.Task task = task(rows);
        return goal(
                task,
                task == RunConfig.Task.AUTO
                        ? "where the rows are " + rows.shape().title()
                        : "for task " + Prepared.name(task));
    }

    /** The goal of a task that is named; null where nothing is learnt from preferences. */
    @Nullable
    Goal goal(RunConfig.Task task) {
        return goal(task, "for task " + Prepared.name(task));
    }

    private @Nullable Goal goal(RunConfig.Task task, String where) {
        refuseOthers(task, where);
        Preference options = config.preference();
        double beta = or(options.beta(), BETA);
        return switch (task) {
            case DPO -> {
                Preference.Form form = options.loss();
                yield new Goal.Dpo(
                        form == null ? Goal.Form.SIGMOID : Goal.Form.valueOf(form.name()),
                        beta,
                        config.optimisation().labelSmoothing());
            }
            case ORPO -> {
                refuseSmoothing(task);
                yield new Goal.Orpo(beta);
            }
            case KTO -> {
                refuseSmoothing(task);
                Integer batch = config.schedule().batchSize();
                if (batch != null && batch == 1) {
                    throw new InputException("batch_size is 1, but KTO compares an answer with the others of its batch;"
                            + " take 2 or more");
                }
                yield new Goal.Kto(beta, or(options.desirableWeight(), 1), or(options.undesirableWeight(), 1));
            }
            case REWARD -> {
                refuseSmoothing(task);
                yield new Goal.Reward(or(options.centering(), 0));
            }
            default -> null;
        };
    }

    private static double or(@Nullable Double value, double usual) {
        return value == null ? usual : value;
    }

    private void refuseSmoothing(RunConfig.Task task) {
        if (config.optimisation().labelSmoothing() > 0) {
            throw new InputException(
                    "label_smoothing has no meaning for task " + Prepared.name(task) + "; leave it out");
        }
    }

    private void refuseOthers(RunConfig.Task task, String where) {
        Preference options = config.preference();
        refuse(task, where, "beta", options.beta(), RunConfig.Task.DPO, RunConfig.Task.ORPO, RunConfig.Task.KTO);
        refuse(task, where, "loss", options.loss(), RunConfig.Task.DPO);
        refuse(task, where, "desirable_weight", options.desirableWeight(), RunConfig.Task.KTO);
        refuse(task, where, "undesirable_weight", options.undesirableWeight(), RunConfig.Task.KTO);
        refuse(task, where, "centering", options.centering(), RunConfig.Task.REWARD);
    }

    private static void refuse(
            RunConfig.Task task, String where, String name, @Nullable Object value, RunConfig.Task... owners) {
        if (value == null || List.of(owners).contains(task)) {
            return;
        }
        String advice = Stream.of(owners)
                .map(owner -> "task=" + Prepared.name(owner) + " (rows with "
                        + String.join(
                                ", ",
                                Objects.requireNonNull(DataFiles.shape(owner)).keys())
                        + ")")
                .collect(Collectors.joining(" or "));
        throw new InputException(
                "preference." + name + " has no meaning " + where + "; set " + advice + ", or leave it out");
    }
}
