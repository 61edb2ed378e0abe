package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.internal.TokenRows;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA (Hu et al., 2021): {@code y = W x + b + s · B A x} with {@code A [r, in]}, {@code B [out, r]} and s = alpha / r, or alpha / √r with
 * rslora (Kalajdzievski, 2023). A starts Kaiming-uniform and B at zero, so a new adapter changes nothing.
 *
 * <p>Trained: r · (in + out) for a linear layer, r · (rows + hidden) for an embedding. Files: {@code <module>.lora_A.weight},
 * {@code <module>.lora_B.weight}; {@code lora_embedding_A}, {@code lora_embedding_B} on embeddings. Merges: W + s · B A.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT.withRank(8, 16)), 42);
 * }</pre>
 */
public record Lora(LoraConfig config) implements Method {
    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Site> targets = g.targets(config.targets());
        for (Site site : targets) {
            if (site instanceof Linear linear) {
                g.add(linear, LowRank.of(g, linear, config));
            } else if (site instanceof Embedding embedding) {
                if (config.loraBias()) {
                    throw new InputException(
                            "lora_bias is true, but " + site.name() + " is an embedding and has no bias");
                }
                g.add(embedding, LowRank.of(g, embedding, config));
            }
        }
        config.bias().graft(g, targets);
        TokenRows.graft(g, config.tokens());
    }

    @Override
    public void write(ObjectNode json, Base base) {
        config.write(json, false);
    }

    /** Registers {@code lora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "lora";
        }

        @Override
        public String summary() {
            return "adds a trained low-rank update to frozen weights";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT;
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
        }

        @Override
        public Method defaults() {
            return new Lora(LoraConfig.DEFAULT);
        }

        @Override
        public String peftType() {
            return "LORA";
        }

        @Override
        public List<String> required() {
            return List.of("r", "lora_alpha");
        }

        @Override
        public boolean reads(Fields config) {
            return !config.bool("use_dora", false);
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("use_dora", false);
            return new Lora(LoraConfig.read(config));
        }
    }
}
