package dev.graft.eval.report;

/** Colours of series, {@code s0} to {@code s7} in the style sheet; each also has its own dashes. */
final class Palette {

    static final int SIZE = 8;

    private Palette() {}
}
