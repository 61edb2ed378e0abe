package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Statistics;
import dev.graft.peft.methods.internal.TokenRows;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA, or a method that changes one aspect of it: targets, ranks, initialisations, biases and token rows are the same.
 */
public interface LoraVariant extends Method {
    /** Returns the settings that it shares with LoRA. */
    LoraConfig config();

    /** Returns this variant with other shared settings. */
    LoraVariant with(LoraConfig newConfig);

    /** Returns its effect at a linear layer. */
    Effect effectAt(Grafter g, Linear site);

    /** Returns its effect at a convolution. */
    default Effect effectAt(Grafter g, Convolution site) {
        throw new InputException("target_modules: " + site.name() + " is a convolution; " + type().name()
                + " doesn't act on convolutions");
    }

    /** Returns its effect at an embedding. */
    default Effect effectAt(Grafter g, Embedding site) {
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
                g.add(linear, effectAt(g, linear));
            } else if (site instanceof Convolution convolution) {
                g.add(convolution, effectAt(g, convolution));
            } else if (site instanceof Embedding embedding) {
                refuseTied(embedding, g.base());
                g.add(embedding, effectAt(g, embedding));
            }
        }
        if (config().tied() && !g.isLoading()) {
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
                            + ": PEFT then trains the two through one memory with two optimiser states; leave it"
                            + " false");
        }
    }

    @Override
    default Base targetBase(Base base) {
        return config().replication() == null ? base : base.withLayers(config().order());
    }

    @Override
    default boolean tiesEmbeddings() {
        return config().tied();
    }

    @Override
    default boolean needsData() {
        return config().init().needsData();
    }

    @Override
    default Method calibrated(Base base, List<String> modulesToSave, Statistics statistics) {
        return with(config().fitted(base, modulesToSave, statistics));
    }

    @Override
    default void write(ObjectNode json, Base base) {
        config().write(json);
        writeOwn(json);
    }

    @Override
    default Method savedMethod(Instance adapter) {
        return with(config().saved());
    }

    /** Writes the field that selects this variant. */
    void writeOwn(ObjectNode json);

    /** A kind of LoRA, identified by one field of its configuration. */
    abstract class Kind implements LoraMark.Marked {
        private final String name;
        private final @Nullable LoraMark mark;

        /**
         * Creates a kind.
         *
         * @param mark the mark of its configurations, or null for LoRA itself
         */
        protected Kind(String name, @Nullable LoraMark mark) {
            this.name = name;
            this.mark = mark;
        }

        /** Returns the variant with the shared settings, and its own from the configuration. */
        protected abstract LoraVariant read(LoraConfig shared, Fields config, Base base);

        @Override
        public String name() {
            return name;
        }

        @Override
        public @Nullable LoraMark mark() {
            return mark;
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
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
        public boolean matches(Fields config) {
            return Objects.equals(mark, LoraMark.of(config));
        }

        @Override
        public Method read(Fields config, Base base) {
            return read(LoraConfig.read(config, mark), config, base);
        }
    }
}
