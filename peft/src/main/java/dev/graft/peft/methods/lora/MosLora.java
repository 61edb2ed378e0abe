package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.inits.LoraInit;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * MoSLoRA (Wu et al., 2024): {@code y = W x + b + s · B M A x}, where the trained mixer M {@code [r, r]} joins each of the r directions of A
 * with each of B. LoRA is the case M = I, in which direction i of A meets direction i of B only.
 *
 * <p>Trained: r · (in + out + r) for a linear layer. A and M start Kaiming-uniform, B at zero, so a new adapter changes nothing. Files: LoRA's
 * and {@code <module>.lora_AB.weight [r, r]}, with {@code lora_use_mixer} in the configuration, as the authors' code writes them. Merges:
 * {@code W + s · B M A}. Linear layers only.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, MosLora.DEFAULT, 42);
 * }</pre>
 */
public record MosLora(LoraConfig config) implements LoraVariant {
    /** LoRA's settings. */
    public static final MosLora DEFAULT = new MosLora(LoraConfig.DEFAULT);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public MosLora with(LoraConfig newConfig) {
        return new MosLora(newConfig);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        if (config.init().offset() != LoraInit.Offset.NONE) {
            throw new InputException("init_lora_weights is " + config.init().name()
                    + ", whose product B A is taken off the base, but MoSLoRA adds B M A; expected true, gaussian or"
                    + " orthogonal");
        }
        int r = config.rank(site.name());
        LowRank update = LowRank.of(g, site, config);
        return new Mixed(update, g.parameter(site, "lora_AB.weight", Initializer.KAIMING, r, r));
    }

    private record Mixed(LowRank update, Tensor mixer) implements Effect.Delta {
        /** LoRA with M A in place of A. */
        private LowRank mixed() {
            return update.withA(mixer.matmul(update.a()));
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return mixed().apply(x, pass);
        }

        @Override
        public @Nullable Tensor weight() {
            return mixed().weight();
        }

        @Override
        public @Nullable Factors factors() {
            return mixed().factors();
        }

        @Override
        public @Nullable Tensor bias() {
            return update.bias();
        }
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("lora_use_mixer", true);
    }

    /** Registers {@code moslora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("moslora", LoraMark.own("lora_use_mixer"));
        }

        @Override
        public String summary() {
            return "LoRA with a trained square matrix between A and B";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            config.bool("lora_use_mixer", true);
            JsonNode pattern = config.node("lora_use_mixer_pattern");
            if (pattern != null && !pattern.isEmpty()) {
                throw config.invalid("lora_use_mixer_pattern", "{}: every target has a mixer");
            }
            return new MosLora(shared);
        }
    }
}
