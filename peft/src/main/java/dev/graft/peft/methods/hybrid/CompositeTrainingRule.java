package dev.graft.peft.methods.hybrid;

import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The rules of several methods in one adapter, each for its own parameters. */
record CompositeTrainingRule(List<Member> parts) implements TrainingRule {
    /**
     * A method's rule.
     *
     * @param parameters the names of what it trains
     */
    record Member(TrainingRule rule, Set<String> parameters) {}

    /** The rules of the methods that have one. */
    static TrainingRule of(List<Method> methods, Method.Instance adapter, Run run) {
        List<Member> parts = new ArrayList<>();
        for (Method method : methods) {
            Method.Instance own = adapter.part(method);
            TrainingRule rule = method.trainingRule(own, run);
            if (rule != NONE) {
                parts.add(new Member(rule, Set.copyOf(own.trainable().keySet())));
            }
        }
        return parts.isEmpty() ? NONE : new CompositeTrainingRule(parts);
    }

    private void each(Consumer<TrainingRule> call) {
        parts.forEach(part -> call.accept(part.rule));
    }

    @Override
    public Rate rate(String parameter) {
        return parts.stream()
                .filter(part -> part.parameters.contains(parameter))
                .findFirst()
                .map(part -> part.rule.rate(parameter))
                .orElse(Rate.DEFAULT);
    }

    @Override
    public void begin(Gradients gradients) {
        each(rule -> rule.begin(gradients));
    }

    @Override
    public void beforeStep(long step) {
        each(rule -> rule.beforeStep(step));
    }

    @Override
    public boolean trainsAllParameters() {
        return parts.stream().allMatch(part -> part.rule.trainsAllParameters());
    }

    @Override
    public @Nullable Tensor penalty() {
        Tensor sum = null;
        for (Member part : parts) {
            Tensor penalty = part.rule.penalty();
            sum = sum == null || penalty == null ? penalty == null ? sum : penalty : sum.add(penalty);
        }
        return sum;
    }

    @Override
    public void beforeUpdate(long step) {
        each(rule -> rule.beforeUpdate(step));
    }

    @Override
    public void afterUpdate(long step, double learningRate) {
        each(rule -> rule.afterUpdate(step, learningRate));
    }

    @Override
    public void afterRestore(long steps) {
        each(rule -> rule.afterRestore(steps));
    }

    @Override
    public long firstCompleteStep() {
        return parts.stream()
                .mapToLong(part -> part.rule.firstCompleteStep())
                .max()
                .orElse(0);
    }

    @Override
    public boolean allowsAveraging() {
        return parts.stream().allMatch(part -> part.rule.allowsAveraging());
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        for (int i = 0; i < parts.size(); i++) {
            int number = i;
            parts.get(i).rule.state().forEach((name, value) -> state.put(number + "." + name, value));
        }
        return state;
    }
}
