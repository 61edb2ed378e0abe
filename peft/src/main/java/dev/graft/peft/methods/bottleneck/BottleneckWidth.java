package dev.graft.peft.methods.bottleneck;

/** The width of a bottleneck. */
final class BottleneckWidth {
    private BottleneckWidth() {}

    /** Python's {@code hidden // factor}: 99 for 40 and 0.4, where {@code floor(40 / 0.4)} is 100. */
    static long of(long hidden, double factor) {
        return Math.round((hidden - hidden % factor) / factor);
    }
}
