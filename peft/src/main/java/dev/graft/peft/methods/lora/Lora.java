package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA (Hu et al., 2021): {@code y = W x + b + s · B A x} with {@code A [r, in]}, {@code B [out, r]} and s = alpha / r, or alpha / √r with
 * rslora (Kalajdzievski, 2023). A starts Kaiming-uniform and B at zero, so a new adapter changes nothing.
 *
 * <p>On a convolution A has the layer's kernels and B kernels of size 1; in groups it can't be merged.
 *
 * <p>Trained: r · (in + out) for a linear layer, r · (in · kernel + out / groups) for a convolution, r · (rows + hidden) for an embedding. Files: {@code <module>.lora_A.weight},
 * {@code <module>.lora_B.weight}; {@code lora_embedding_A}, {@code lora_embedding_B} on embeddings. Merges: W + s · B A.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT.withR(8).withAlpha(16)), 42);
 * }</pre>
 */
public record Lora(LoraConfig config) implements LoraVariant {
    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public Lora with(LoraConfig newConfig) {
        return new Lora(newConfig);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        LowRank update = LowRank.ofProducts(g, site, config);
        return site.name().endsWith(".base_layer.out_proj") ? new Twice(update) : update;
    }

    @Override
    public Effect effectAt(Grafter g, Convolution site) {
        return LowRank.of(g, site, config);
    }

    @Override
    public Effect effectAt(Grafter g, Embedding site) {
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, but " + site.name() + " is an embedding and has no bias");
        }
        return LowRank.of(g, site, config);
    }

    /**
     * The effect of a LoRA of PEFT's at the output projection of an {@code nn.MultiheadAttention}. Its {@code merge}
     * adds the update twice and differentiates it once. On the input projections the update is added once.
     */
    private record Twice(LowRank update) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return update.apply(x, pass).add(update.detached().apply(x, pass));
        }

        @Override
        public @Nullable Tensor weight() {
            Tensor once = update.weight();
            return once == null ? null : Ops.scale(once, 2);
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor once = update.bias();
            return once == null ? null : Ops.scale(once, 2);
        }
    }

    @Override
    public void writeOwn(ObjectNode json) {}

    /** Registers {@code lora}. */
    public static final class Kind extends LoraVariant.Kind {
        public static final Kind INSTANCE = new Kind();

        public Kind() {
            super("lora", null);
        }

        @Override
        public String summary() {
            return "adds a trained low-rank update to frozen weights";
        }

        @Override
        public Method defaults() {
            return new Lora(LoraConfig.DEFAULT);
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            return new Lora(shared);
        }
    }
}
