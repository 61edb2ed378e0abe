package dev.graft.eval.predict.rows;

import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Label;
import org.jspecify.annotations.Nullable;

/** A loaded base with its adapters, for {@link RowPredictor}s. */
public interface PredictionModel {
    Base base();

    /**
     * Returns the base.
     *
     * @throws dev.graft.formats.InputException if its head is untrained
     */
    Base trainedBase();

    /** Returns the hooks of the adapters; empty for a base alone. */
    Hooks hooks();

    /**
     * Returns the chat template with its tokenizer.
     *
     * @throws dev.graft.formats.InputException if there is none
     */
    Chat chat();

    /** Returns the kind of labels that the adapter was trained with; null if unknown. */
    Label.@Nullable Kind kind();

    /** Returns whether the adapter was trained on questions without an answer. */
    boolean hasUnanswerable();
}
