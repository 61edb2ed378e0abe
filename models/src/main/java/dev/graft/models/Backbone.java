package dev.graft.models;

import dev.graft.models.sites.Site;
import java.util.List;

/** A transformer without a task head. */
public interface Backbone {
    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** The size of a hidden state. */
    int hiddenSize();

    /** How many transformer layers it has. */
    int layers();

    /** The longest sequence it can take, prompts included. */
    int maxPositions();

    /** The number of token ids it knows. */
    int vocabSize();

    /** The hidden states of a batch. */
    Hidden hidden(Inputs in, Pass pass);
}
