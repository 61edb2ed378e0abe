package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.TrainingRule.Rate;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.FlatParameters.Pace;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Parameters that learn otherwise than the rest; a parameter belongs to the first group whose expression is found in its name.
 *
 * @param names a regular expression
 * @param learningRate in place of the run's, with the same schedule; null for the run's
 * @param weightDecay in place of the optimiser's, on vectors too; null for the optimiser's
 */
public record ParameterGroup(
        String names,
        @Nullable Double learningRate,
        @Nullable Double weightDecay) {
    /** @throws InputException if the expression or a number can't be meant */
    public ParameterGroup {
        try {
            Pattern.compile(names);
        } catch (PatternSyntaxException e) {
            throw new InputException(
                    "parameter_groups: " + names + " is not a regular expression: " + e.getDescription(), e);
        }
        if (learningRate != null && !(learningRate >= 0 && learningRate <= 100)) {
            throw new InputException("parameter_groups: learning_rate of " + names + " is " + learningRate
                    + ", expected 0 or more and at most 100");
        }
        if (weightDecay != null && !(weightDecay >= 0 && weightDecay < 1000)) {
            throw new InputException(
                    "parameter_groups: weight_decay of " + names + " is " + weightDecay + ", expected 0 or more");
        }
    }

    private boolean has(String parameter) {
        return Pattern.compile(names).matcher(parameter).find();
    }

    private Pace pace(Rate usual, double usualRate) {
        double factor = learningRate == null ? usual.factor() : learningRate / usualRate;
        return new Pace(new Rate(factor, usual.from()), weightDecay);
    }

    /**
     * Lays an adapter's parameters out, each at its own pace.
     *
     * @throws InputException if a group has no parameter
     */
    static FlatParameters lay(Adapter adapter, Optimization optimization, TrainingRule rule) {
        Map<String, Tensor> parameters = adapter.trainable();
        List<ParameterGroup> groups = optimization.groups();
        double usual = optimization.learningRate();
        Double head = optimization.headRate();
        for (ParameterGroup group : groups) {
            if (parameters.keySet().stream().noneMatch(group::has)) {
                throw new InputException("parameter_groups: no trained parameter has " + group.names
                        + " in its name; they are named like "
                        + parameters.keySet().iterator().next());
            }
        }
        return new FlatParameters(
                name -> groups.stream()
                        .filter(group -> group.has(name))
                        .findFirst()
                        .map(group -> group.pace(rule.rate(name), usual))
                        .orElseGet(() -> new Pace(
                                head != null && adapter.config().savesWhole(name)
                                        ? new Rate(head / usual, rule.rate(name).from())
                                        : rule.rate(name),
                                null)),
                parameters);
    }
}
