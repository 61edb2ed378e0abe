package dev.graft.cli.bench;

import dev.graft.run.bench.BenchmarkProgram;

/** Starts {@code graft} in a new process. */
public final class GraftProcess {
    private GraftProcess() {}

    /** Returns the program that starts {@code graft} with the same Java and the same settings. */
    public static BenchmarkProgram program() {
        return BenchmarkProgram.java("dev.graft.cli.Graft");
    }
}
