package dev.graft.peft.methods;

import dev.graft.peft.Adapter;
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
record JointRule(List<Part> parts) implements TrainingRule {
    /**
     * A method's rule.
     *
     * @param parameters the names of what it trains
     */
    record Part(TrainingRule rule, Set<String> parameters) {}

    /** The rules of the methods that have one. */
    static TrainingRule of(List<Method> methods, Adapter adapter, Run run) {
        List<Part> parts = new ArrayList<>();
        for (Method method : methods) {
            Adapter own = adapter.part(method);
            TrainingRule rule = method.training(own, run);
            if (rule != NONE) {
                parts.add(new Part(rule, Set.copyOf(own.trainable().keySet())));
            }
        }
        return parts.isEmpty() ? NONE : new JointRule(parts);
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
                .orElse(Rate.USUAL);
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
    public boolean isWhole() {
        return parts.stream().allMatch(part -> part.rule.isWhole());
    }

    @Override
    public @Nullable Tensor penalty() {
        Tensor sum = null;
        for (Part part : parts) {
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
    public void restored(long steps) {
        each(rule -> rule.restored(steps));
    }

    @Override
    public long complete() {
        return parts.stream().mapToLong(part -> part.rule.complete()).max().orElse(0);
    }

    @Override
    public boolean averages() {
        return parts.stream().allMatch(part -> part.rule.averages());
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
