package dev.graft.parity;

import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraFa;
import dev.graft.peft.methods.LoraPlus;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Sgd;
import dev.graft.train.schedules.Schedule;
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

    /** What the reference's optimiser for LoRA-FA has where its maker is given nothing. */
    private static final AdamW.Settings LORA_FA = new AdamW.Settings(0.9, 0.999, 1e-6, 0, Optimizer.Decay.ALL, true);

    static TrainingPlan read(JsonNode manifest) {
        JsonNode settings = manifest.path("hyper_parameters");
        String optimizer = settings.path("optimizer").asString();
        if (!List.of("AdamW", "SGD", "LoRA+", "LoRA-FA").contains(optimizer)) {
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

    /** What a rule is told of the run. */
    TrainingRule.Run run(JsonNode manifest) {
        int steps = manifest.path("steps").intValue();
        return new TrainingRule.Run(steps, steps, learningRate, 1);
    }

    private String name() {
        return settings.path("optimizer").asString();
    }

    /** Whether the reference counts and lists parameters that its optimiser then leaves alone. */
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
