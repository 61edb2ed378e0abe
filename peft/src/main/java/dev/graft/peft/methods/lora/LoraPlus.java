package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA+ (Hayou et al., 2024): LoRA whose B learns faster than A, {@code η_B = λ · η_A}. With one rate for both, A moves features too much or B
 * too little in wide models. Parameters that aren't matrices, such as the bias of a head, learn at B's rate; embeddings' A and B have their own
 * rate.
 *
 * <p>Trained: as LoRA. Files: plain LoRA, for LoRA+ is a way of training it. Merges as LoRA. Use it if LoRA learns slowly, with a base rate about
 * half of LoRA's.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new LoraPlus(LoraConfig.DEFAULT, 16, 1e-6), 42);
 * }</pre>
 *
 * @param ratio λ, at least 1
 * @param embeddingRate the learning rate of LoRA on embeddings
 */
public record LoraPlus(LoraConfig config, double ratio, double embeddingRate) implements LoraVariant {
    /** λ = 16 and 1e-6, as the paper's code has them. */
    public static final LoraPlus DEFAULT = new LoraPlus(LoraConfig.DEFAULT, 16, 1e-6);

    public LoraPlus {
        if (!(ratio >= 1 && ratio <= 1e6)) {
            throw new InputException("loraplus_lr_ratio is " + ratio + ", expected 1 or more");
        }
        if (!(embeddingRate > 0 && embeddingRate <= 1)) {
            throw new InputException("loraplus_lr_embedding is " + embeddingRate + ", expected above 0 and at most 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public LoraPlus with(LoraConfig newConfig) {
        return new LoraPlus(newConfig, ratio, embeddingRate);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        return new Lora(config).effectAt(g, site);
    }

    @Override
    public Effect effectAt(Grafter g, Embedding site) {
        return new Lora(config).effectAt(g, site);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        return new TrainingRule() {
            @Override
            public Rate rate(String parameter) {
                if (parameter.contains(".lora_embedding_")) {
                    return new Rate(embeddingRate / run.learningRate(), 0);
                }
                boolean vector = adapter.value(parameter).dim() == 1;
                return parameter.contains(".lora_B.") || vector ? new Rate(ratio, 0) : Rate.DEFAULT;
            }
        };
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return new Lora(config.saved());
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("loraplus_lr_ratio", ratio);
        json.put("loraplus_lr_embedding", embeddingRate);
    }

    /** Registers {@code lora-plus}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("lora-plus", LoraMark.own("loraplus_lr_ratio"));
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public String summary() {
            return "LoRA whose B learns faster than A";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields f, Base base) {
            return new LoraPlus(shared, f.number("loraplus_lr_ratio"), f.number("loraplus_lr_embedding", 1e-6));
        }
    }
}
