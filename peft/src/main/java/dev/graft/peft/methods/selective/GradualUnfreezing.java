package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Gradual unfreezing with discriminative learning rates (ULMFiT, Howard and Ruder, 2018): full fine-tuning that begins with the head and adds one
 * layer at a time, from the output to the input. Learning rates decrease towards the input, {@code η_l = η_{l+1} / 2.6}. An added layer has a
 * fresh optimiser state.
 *
 * <p>Trained: as full fine-tuning; a layer has no gradient before it is added. Files: those of full fine-tuning, since this is a way of training
 * it. Merges. Use it on small data if full fine-tuning forgets. The paper also lets the learning rate rise and fall
 * ({@code lr_scheduler: linear}, {@code warmup_ratio: 0.1}).
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new GradualUnfreezing(2.6, 1.0), 42);
 * }</pre>
 *
 * @param rateDecay the divisor of the rate from layer to layer; 1 for one rate
 * @param epochsPerLayer the number of epochs until the next layer is added, 1 in the paper; null to add all by the middle of the run
 */
public record GradualUnfreezing(double rateDecay, @Nullable Double epochsPerLayer) implements Method {
    /** The paper's rates, with all layers added by the middle of the run. */
    public static final GradualUnfreezing DEFAULT = new GradualUnfreezing(2.6, null);

    public GradualUnfreezing {
        if (!(rateDecay >= 1 && rateDecay <= 1000)) {
            throw new InputException("rate_decay is " + rateDecay + ", expected 1 or more");
        }
        if (epochsPerLayer != null && !(epochsPerLayer >= 0 && epochsPerLayer <= 1e6)) {
            throw new InputException("epochs_per_layer is " + epochsPerLayer + ", expected 0 or more");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        FullParameterTuning.graft(g, site -> true);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        Map<String, Integer> depths = FullParameterTuning.depths(adapter.base());
        int deepest = depths.values().stream().mapToInt(Integer::intValue).max().orElse(0);
        double stage = epochsPerLayer == null
                ? run.steps() / 2.0 / Math.max(1, deepest)
                : epochsPerLayer * run.stepsPerEpoch();
        return new TrainingRule() {
            @Override
            public Rate rate(String parameter) {
                int depth = depths.getOrDefault(parameter, 0);
                return new Rate(1 / Math.pow(rateDecay, depth), Math.round(depth * stage));
            }
        };
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return FullFineTuning.DEFAULT;
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("rate_decay", rateDecay);
        json.put("epochs_per_layer", epochsPerLayer);
    }

    /** Registers {@code gradual-unfreezing}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "gradual-unfreezing";
        }

        @Override
        public String summary() {
            return "full fine-tuning that takes in layer after layer, each at a rate of its own";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "FULL_FINE_TUNING";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public boolean matches(Fields f) {
            return f.has("rate_decay");
        }

        @Override
        public Method read(Fields f, Base base) {
            return new GradualUnfreezing(f.number("rate_decay"), f.numberOrNull("epochs_per_layer"));
        }
    }
}
