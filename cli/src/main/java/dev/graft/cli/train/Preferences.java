package dev.graft.cli.train;

import dev.graft.cli.config.Preference;
import dev.graft.cli.config.RunConfig;
import dev.graft.formats.InputException;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Goal;
import dev.graft.train.data.RowShape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a config says about learning from preferences. */
record Preferences(RunConfig config) {
    private static final double BETA = 0.1;

    /** The task that rows are for, where nobody says. */
    RunConfig.Task task(Dataset rows) {
        RunConfig.Task wanted = config.goal().task();
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
        Preference options = config.preference();
        double beta = or(options.beta(), BETA);
        return switch (task) {
            case DPO -> {
                refuseBut(task, Set.of("beta", "loss"));
                Preference.Form form = options.loss();
                yield new Goal.Dpo(
                        form == null ? Goal.Form.SIGMOID : Goal.Form.valueOf(form.name()),
                        beta,
                        config.optimisation().labelSmoothing());
            }
            case ORPO -> {
                refuseSmoothing(task);
                refuseBut(task, Set.of("beta"));
                yield new Goal.Orpo(beta);
            }
            case KTO -> {
                refuseSmoothing(task);
                refuseBut(task, Set.of("beta", "desirable_weight", "undesirable_weight"));
                Integer batch = config.schedule().batchSize();
                if (batch != null && batch == 1) {
                    throw new InputException("batch_size is 1, but KTO compares an answer with the others of its batch;"
                            + " take 2 or more");
                }
                yield new Goal.Kto(beta, or(options.desirableWeight(), 1), or(options.undesirableWeight(), 1));
            }
            case REWARD -> {
                refuseSmoothing(task);
                refuseBut(task, Set.of("centering"));
                yield new Goal.Reward(or(options.centering(), 0));
            }
            default -> {
                refuseBut(task, Set.of());
                yield null;
            }
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

    private void refuseBut(RunConfig.Task task, Set<String> allowed) {
        Preference options = config.preference();
        Map<String, @Nullable Object> given = new LinkedHashMap<>();
        given.put("beta", options.beta());
        given.put("loss", options.loss());
        given.put("desirable_weight", options.desirableWeight());
        given.put("undesirable_weight", options.undesirableWeight());
        given.put("centering", options.centering());
        given.forEach((name, value) -> {
            if (value != null && !allowed.contains(name)) {
                throw new InputException(
                        "preference." + name + " has no meaning for task " + Prepared.name(task) + "; leave it out");
            }
        });
    }
}
