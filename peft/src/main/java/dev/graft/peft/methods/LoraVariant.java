package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Statistics;
import dev.graft.peft.internal.TokenRows;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** LoRA, or a method that changes one thing in it: targets, ranks, starts, biases and token rows are the same. */
public interface LoraVariant extends Method {
    /** The settings that are LoRA's. */
    LoraConfig config();

    /** The same variant with other settings of LoRA's. */
    LoraVariant with(LoraConfig newConfig);

    /** What it does at a linear layer. */
    Effect at(Grafter g, Linear site);

    /** What it does at a convolution. */
    default Effect at(Grafter g, Convolution site) {
        throw new InputException("target_modules: " + site.name() + " is a convolution; " + type().name()
                + " doesn't act on convolutions");
    }

    /** What it does at an embedding. */
    default Effect at(Grafter g, Embedding site) {
        throw new InputException("target_modules: " + site.name() + " is not a linear layer; " + type().name()
                + " acts on linear layers only");
    }

    @Override
    default void graft(Grafter g) {
        List<String> parameters = config().parameters();
        boolean only = config().hasParameters() && config().targets().isDefault();
        List<Site> targets = only ? List.of() : g.targets(config().targets());
        if (g.statistics() != null) {
            g.statistics().watch(targets);
        }
        for (Site site : targets) {
            if (site instanceof Linear linear) {
                g.add(linear, at(g, linear));
            } else if (site instanceof Convolution convolution) {
                g.add(convolution, at(g, convolution));
            } else if (site instanceof Embedding embedding) {
                refuseTied(embedding, g.base());
                g.add(embedding, at(g, embedding));
            }
        }
        if (config().tied() && !g.loads()) {
            refuseTiedWhole(g);
        }
        if (parameters != null) {
            ExpertLora.graft(g, parameters, config());
        }
        config().bias().graft(g, targets);
        TokenRows.graft(g, config().tokens());
    }

    private static void refuseTiedWhole(Grafter g) {
        Linear head = g.base().head().output();
        for (Site site : g.base().sites()) {
            if (head != null
                    && site instanceof Embedding embedding
                    && embedding.input()
                    && head.weight().equals(embedding.weight())
                    && (g.isSavedWhole(embedding) || g.isSavedWhole(head))) {
                throw new InputException("ensure_weight_tying is true and " + embedding.name() + " is tied to "
                        + head.name() + ", but modules_to_save are trained one by one; leave it false");
            }
        }
    }

    private void refuseTied(Embedding embedding, Base base) {
        Linear head = base.head().output();
        if (config().tied()
                && embedding.input()
                && head != null
                && head.weight().equals(embedding.weight())) {
            throw new InputException(
                    "ensure_weight_tying is true and " + embedding.name() + " is tied to " + head.name()
                            + ": PEFT then trains the two through one memory with two optimiser states; leave it false");
        }
    }

    @Override
    default Base on(Base base) {
        return config().replication() == null ? base : base.withLayers(config().order());
    }

    @Override
    default boolean needsData() {
        return config().init().needsData();
    }

    @Override
    default Method fitted(Base base, List<String> modulesToSave, Statistics statistics) {
        return with(config().fitted(base, modulesToSave, statistics));
    }

    @Override
    default void write(ObjectNode json, Base base) {
        config().write(json);
        writeOwn(json);
    }

    @Override
    default Method saved(Adapter adapter) {
        return with(config().saved());
    }

    /** Writes the field that makes it this variant. */
    void writeOwn(ObjectNode json);

    /** A kind of LoRA, told by one field of its configuration. */
    abstract class Kind implements Type {
        private final String name;
        private final @Nullable String field;

        /**
         * A kind.
         *
         * @param field what a configuration of this kind has, or null for LoRA itself
         */
        protected Kind(String name, @Nullable String field) {
            this.name = name;
            this.field = field;
        }

        /** The variant with LoRA's settings, and its own from the configuration. */
        protected abstract LoraVariant read(LoraConfig shared, Fields config, Base base);

        @Override
        public String name() {
            return name;
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
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
            String variant = LoraConfig.variant(config);
            return field == null ? variant == null : field.equals(variant);
        }

        @Override
        public Method read(Fields config, Base base) {
            return read(LoraConfig.read(config, field), config, base);
        }
    }
}
