package dev.graft.models.sites;

/** The output of a whole transformer layer, {@code [batch, seq, hidden]}. */
public record Layer(String name, int layer, int hidden) implements Site {}
