package dev.graft.eval.metrics.spans;

/** A typed group of neighbours in a sequence: {@code from} belongs to it, {@code to} doesn't. */
public record Span(String type, int from, int to) {}
