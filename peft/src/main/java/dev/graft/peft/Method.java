package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * A method with its settings: a small immutable record that declares parameters and effects on a base. Its {@link Type} is found through
 * {@link java.util.ServiceLoader}.
 */
public interface Method {
    /** Returns the kind of this method. */
    Type type();

    /** Declares its parameters on the base and their effects. */
    void graft(Grafter grafter);

    /** Returns the base that it adapts: another one if it changes the base's depth. */
    default Base targetBase(Base base) {
        return base;
    }

    /** Returns whether the input embedding and a tied head stay equal when one of them is trained whole. */
    default boolean tiesEmbeddings() {
        return false;
    }

    /** Returns whether a new adapter needs {@link CalibrationBatches}. */
    default boolean needsData() {
        return false;
    }

    /** Returns this method with settings from calibration data; most methods use none. */
    default Method calibrated(Base base, List<String> modulesToSave, Statistics statistics) {
        return this;
    }

    /** Writes its settings, for an adapter on that base, by their names in {@code adapter_config.json}. */
    void write(ObjectNode config, Base base);

    /** Returns the rule that the method follows while an adapter of its kind is trained. */
    default TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        return TrainingRule.NONE;
    }

    /**
     * Returns the method that a file of the adapter describes. It differs from this one if this is only a way of training, or if training
     * determined settings.
     */
    default Method savedMethod(Instance adapter) {
        return this;
    }

    /** Returns the methods of the adapters inside its adapters, by the names of their folders. */
    default Map<String, Method> nestedMethods() {
        return Map.of();
    }

    /** The view of an adapter that its method has after the declaration. */
    interface Instance {
        Base base();

        /** Returns the sites that it adapts. */
        List<Site> sites();

        /** Returns all tensors in memory, trained or not, by name. */
        Map<String, Parameter> parameters();

        /** Returns one of its tensors. */
        Tensor value(String key);

        /** Returns the trained tensors by name. */
        Map<String, Tensor> trainable();

        /** Returns the part that belongs to one of its method's methods, with the same parameters. */
        Instance part(Method method);

        /** Returns the adapter that it contains under a name, of that method, with the same parameters. */
        Instance nestedAdapter(String name, Method method);
    }

    /** A kind of method. */
    interface Type {
        /** The name in Graft's commands, for example {@code lora}. */
        String name();

        /** Returns a description of the method in one sentence. */
        String summary();

        /** Returns the layout of its files. */
        default Layout layout() {
            return Layout.PEFT;
        }

        /** Returns the abilities of the method. */
        Capabilities capabilities();

        /** Returns the default settings of a new adapter, which can be trained. */
        Method defaults();

        /** Returns the name of the field for an adapter's number of tasks; null for a method of one task. */
        default @Nullable String tasksField() {
            return null;
        }

        /** Returns the default factor on LoRA's learning rate in its training. */
        default double rateFactor() {
            return 1;
        }

        /** Returns the {@code peft_type}, or the {@code architecture} of AdapterHub, in its files. */
        String peftType();

        /** Returns whether PEFT supports modules that are trained and saved whole beside it. */
        default boolean savesModules() {
            return true;
        }

        /**
         * Returns whether a configuration with that type belongs to this method, since several methods may share a type.
         */
        default boolean matches(Fields config) {
            return true;
        }

        /** Returns the fields without a fixed default, with their descriptions. */
        default Map<String, String> optional() {
            return Map.of();
        }

        /**
         * Returns the fields that a saved configuration must contain, because a default would silently change the result.
         */
        default List<String> required() {
            return List.of();
        }

        /**
         * Reads its settings for that base; every field of the method is read or refused.
         *
         * @throws BaseMismatchException if they don't fit the base and may fit another one
         * @throws dev.graft.formats.FormatException if a field is unusable
         */
        Method read(Fields config, Base base);
    }

    /** The layout of an adapter's folder. */
    enum Layout {
        /** Hugging Face PEFT, keys with {@code base_model.model.} before the module path. */
        PEFT,
        /** Hugging Face PEFT's prompt methods, keys with {@code base_model.} before the module path. */
        PEFT_PROMPT,
        /** AdapterHub. */
        ADAPTER_HUB
    }

    /**
     * The abilities of a method; the contract tests check each of them.
     *
     * @param mergeable whether it can be merged into the base's weights
     * @param identityAtStart whether a new adapter leaves the base's output unchanged
     * @param encoder whether it supports encoders
     * @param decoder whether it supports causal models
     */
    @RecordBuilder
    record Capabilities(boolean mergeable, boolean identityAtStart, boolean encoder, boolean decoder)
            implements MethodCapabilitiesBuilder.With {
        /** Merges, starts as the base, and works on encoders and causal models. */
        public static final Capabilities ALL = new Capabilities(true, true, true, true);
    }
}
