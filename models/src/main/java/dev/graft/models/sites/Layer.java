package dev.graft.models.sites;

/** The hidden states that a whole transformer layer gives, {@code [batch, seq, hidden]}. */
public record Layer(String name, int layer, int hidden) implements Site {}
