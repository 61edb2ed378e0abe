package dev.graft.parity;

import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraFa;
import dev.graft.peft.methods.lora.LoraPlus;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Sgd;
import dev.graft.train.schedules.Schedule;
import dev.graft.train.schedules.ScheduleFactory;
import java.util.List;
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
            "accumulation",
            "lr_ratio",
            "r",
            "lora_alpha");

    /** The default settings of the reference's optimiser for LoRA-FA. */
    private static final AdamW.Settings LORA_FA =
            new AdamW.Settings(0.9, 0.999, 1e-6, 0, FlatParameters.Decay.ALL, true);

    static TrainingPlan read(JsonNode manifest) {
        JsonNode settings = manifest.path("hyper_parameters");
        String optimizer = settings.path("optimizer").asString();
        if (!List.of("AdamW", "SGD", "LoRA+", "LoRA-FA").contains(optimizer)) {
            throw new NotCoveredException("the optimiser " + optimizer);
        }
        if (settings.path("nesterov").asBoolean(false)) {
            throw new NotCoveredException("Nesterov momentum");
        }
        TreeSet<String> unknown = new TreeSet<>(settings.propertyNames());
        unknown.removeAll(KNOWN);
        if (!unknown.isEmpty()) {
            throw new NotCoveredException("the hyper-parameters " + unknown);
        }
        double rate = settings.path("lr").doubleValue();
        JsonNode schedule = settings.path("schedule");
        return new TrainingPlan(
                settings,
                rate,
                settings.path("max_grad_norm").asDouble(0),
                settings.path("accumulation").intValue(),
                schedule.isObject()
                        ? ScheduleFactory.create(
                                schedule.path("name").asString(),
                                new Schedule.Timeline(
                                        schedule.path("warmup_steps").intValue(),
                                        manifest.path("steps").intValue(),
                                        rate),
                                Map.of())
                        : null);
    }

    double learningRate(int step) {
        return schedule == null ? learningRate : learningRate * schedule.factor(step);
    }

    /** Returns the description of the run that a training rule reads. */
    TrainingRule.Run run(JsonNode manifest) {
        int steps = manifest.path("steps").intValue();
        return new TrainingRule.Run(steps, steps, learningRate, 1);
    }

    private String name() {
        return settings.path("optimizer").asString();
    }

    /** Returns whether the reference counts and lists parameters that its optimiser then doesn't change. */
    boolean freezesA() {
        return name().equals("LoRA-FA");
    }

    /** The method by which such an adapter is trained: two of the reference's optimisers are methods here. */
    Method method(Method saved) {
        if (saved instanceof Lora lora && name().equals("LoRA+")) {
            return new LoraPlus(
                    lora.config(), settings.path("lr_ratio").doubleValue(), LoraPlus.DEFAULT.embeddingRate());
        }
        return saved instanceof Lora lora && freezesA() ? new LoraFa(lora.config(), LoraFa.Projection.BF16) : saved;
    }

    Optimizer optimizer(FlatParameters parameters) {
        double decay = settings.path("weight_decay").doubleValue();
        return switch (name()) {
            case "SGD" -> new Sgd(parameters, settings.path("momentum").doubleValue(), decay);
            case "LoRA-FA" -> new AdamW(parameters, LORA_FA);
            default ->
                new AdamW(
                        parameters,
                        new AdamW.Settings(
                                settings.path("betas").get(0).doubleValue(),
                                settings.path("betas").get(1).doubleValue(),
                                settings.path("eps").doubleValue(),
                                name().equals("LoRA+") ? 0 : decay));
        };
    }
}
