package dev.graft.eval.metrics.spans;

/** A typed span of a sequence, from {@code from} (included) to {@code to} (excluded). */
public record Span(String type, int from, int to) {}
