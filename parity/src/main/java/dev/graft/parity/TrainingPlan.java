package dev.graft.parity;

import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Sgd;
import dev.graft.train.schedules.Schedule;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The hyper-parameters of a run.
 *
 * @param maxGradNorm 0 for no clipping
 * @param schedule null for a constant rate
 */
record TrainingPlan(
        JsonNode settings,
        double learningRate,
        double maxGradNorm,
        int accumulation,
        @Nullable Schedule schedule) {
    private static final Set<String> KNOWN = Set.of(
            "optimizer",
            "lr",
            "betas",
            "eps",
            "weight_decay",
            "momentum",
            "nesterov",
            "max_grad_norm",
            "schedule",
            "accumulation");

    static TrainingPlan read(JsonNode manifest) {
        JsonNode settings = manifest.path("hyper_parameters");
        String optimizer = settings.path("optimizer").asString();
        if (!optimizer.equals("AdamW") && !optimizer.equals("SGD")) {
            throw new NotCovered("the optimiser " + optimizer);
        }
        if (settings.path("nesterov").asBoolean(false)) {
            throw new NotCovered("Nesterov momentum");
        }
        TreeSet<String> unknown = new TreeSet<>(settings.propertyNames());
        unknown.removeAll(KNOWN);
        if (!unknown.isEmpty()) {
            throw new NotCovered("the hyper-parameters " + unknown);
        }
        double rate = settings.path("lr").doubleValue();
        JsonNode schedule = settings.path("schedule");
        return new TrainingPlan(
                settings,
                rate,
                settings.path("max_grad_norm").asDouble(0),
                settings.path("accumulation").intValue(),
                schedule.isObject()
                        ? Schedule.named(
                                schedule.path("name").asString(),
                                new Schedule.Span(
                                        schedule.path("warmup_steps").intValue(),
                                        manifest.path("steps").intValue(),
                                        rate),
                                Map.of())
                        : null);
    }

    double learningRate(int step) {
        return schedule == null ? learningRate : learningRate * schedule.factor(step);
    }

    Optimizer optimizer(FlatParameters parameters) {
        double decay = settings.path("weight_decay").doubleValue();
        if (settings.path("optimizer").asString().equals("SGD")) {
            return new Sgd(parameters, settings.path("momentum").doubleValue(), decay);
        }
        return new AdamW(
                parameters,
                new AdamW.Settings(
                        settings.path("betas").get(0).doubleValue(),
                        settings.path("betas").get(1).doubleValue(),
                        settings.path("eps").doubleValue(),
                        decay));
    }
}
