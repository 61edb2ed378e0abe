package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * A method with its settings: a small immutable record that grafts parameters and effects on a base. Its {@link Type} is found through
 * {@link java.util.ServiceLoader}.
 */
public interface Method {
    /** What kind of method this is. */
    Type type();

    /** Declares the parameters it needs on the base and their effects. */
    void graft(Grafter grafter);

    /** The base that it grafts on: another one where it changes the base's depth. */
    default Base on(Base base) {
        return base;
    }

    /** Whether a new adapter must be made with a {@link Calibration}. */
    default boolean needsData() {
        return false;
    }

    /** This method with the settings that calibration data calls for; most methods look at none. */
    default Method fitted(Base base, List<String> modulesToSave, Statistics statistics) {
        return this;
    }

    /** Writes its settings, for an adapter on that base, by their names in {@code adapter_config.json}. */
    void write(ObjectNode config, Base base);

    /** What it does while an adapter of its kind is trained. */
    default TrainingRule training(Adapter adapter, TrainingRule.Run run) {
        return TrainingRule.NONE;
    }

    /**
     * The method that a file of the adapter describes: another one where this one is a way of training that one, or with settings that
     * training found.
     */
    default Method saved(Adapter adapter) {
        return this;
    }

    /** The adapters that one of its adapters holds, by the names of the folders in which they are saved. */
    default Map<String, Adapter> held(Adapter adapter) {
        return Map.of();
    }

    /** A kind of method. */
    interface Type {
        /** The name in Graft's commands, for example {@code lora}. */
        String name();

        /** What it is, in one sentence. */
        String summary();

        /** How its files look. */
        default Layout layout() {
            return Layout.PEFT;
        }

        /** What it can do. */
        Capabilities capabilities();

        /** The settings that a new adapter has where nothing is said: they learn. */
        Method defaults();

        /** The field that says how many tasks an adapter of it knows; null for a method of one task. */
        default @Nullable String tasksField() {
            return null;
        }

        /** How many times LoRA's learning rate it is trained with where none is given. */
        default double rateFactor() {
            return 1;
        }

        /** The {@code peft_type}, or the {@code architecture} of AdapterHub, that its files have. */
        String peftType();

        /** Whether PEFT knows other modules that are trained and saved whole beside it. */
        default boolean savesModules() {
            return true;
        }

        /** Whether a configuration with that type is of this method: several methods may share one. */
        default boolean reads(Fields config) {
            return true;
        }

        /** Fields that have no default, or one that other fields decide, and what they mean. */
        default Map<String, String> optional() {
            return Map.of();
        }

        /** Fields that a saved configuration must have because a default would change the result silently. */
        default List<String> required() {
            return List.of();
        }

        /**
         * Reads its settings for that base; every field of the method is read or refused. What is refused because of the base says so by its
         * name or its sizes.
         */
        Method read(Fields config, Base base);
    }

    /** How an adapter's folder looks. */
    enum Layout {
        /** Hugging Face PEFT, keys with {@code base_model.model.} before the module path. */
        PEFT,
        /** Hugging Face PEFT's prompt methods, keys with {@code base_model.} before the module path. */
        PEFT_PROMPT,
        /** AdapterHub. */
        ADAPTER_HUB
    }

    /**
     * What a method can do; each is probed by the contract tests.
     *
     * @param mergeable whether it can become part of the base's weights
     * @param identityAtStart whether a new adapter leaves the base's output as it is
     * @param encoder whether it works on encoders
     * @param decoder whether it works on causal models
     */
    record Capabilities(boolean mergeable, boolean identityAtStart, boolean encoder, boolean decoder) {}
}
