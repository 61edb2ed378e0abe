package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.TrainingRule.Rate;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.FlatParameters.GroupOptions;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Parameters with a learning rate or weight decay of their own. A parameter belongs to the first group whose expression is found in its
 * name.
 *
 * @param names a regular expression, searched for in parameter names
 * @param learningRate the base rate, with the run's schedule; null for the run's rate
 * @param weightDecay the weight decay, applied to vectors too; null for the optimiser's
 */
public record ParameterGroup(
        String names,
        @Nullable Double learningRate,
        @Nullable Double weightDecay) {
    /** @throws InputException if the expression is no regular expression, or a number is out of range */
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

    private GroupOptions options(Rate usual, double usualRate) {
        double factor = learningRate == null ? usual.factor() : learningRate / usualRate;
        return new GroupOptions(new Rate(factor, usual.firstStep()), weightDecay);
    }

    /**
     * Lays an adapter's parameters out, each with the options of its group.
     *
     * @param usual the run's learning rate
     * @param head the learning rate of modules that are trained whole; null for the usual one
     * @throws InputException if a group has no parameter
     */
    static FlatParameters flatten(
            Adapter adapter, List<ParameterGroup> groups, double usual, @Nullable Double head, TrainingRule rule) {
        Map<String, Tensor> parameters = adapter.trainable();
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
                        .map(group -> group.options(rule.rate(name), usual))
                        .orElseGet(() -> new GroupOptions(
                                head != null && adapter.config().savesWhole(name)
                                        ? new Rate(head / usual, rule.rate(name).firstStep())
                                        : rule.rate(name),
                                null)),
                parameters);
    }
}
