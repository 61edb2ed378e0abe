package dev.graft.benchmarks;

import dev.graft.formats.Gguf;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Measures the dequantisation of a GGUF tensor: the time for each value. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class GgufDequantize {
    static final int VALUES = 1024;

    /** The tensor of the fixture, named after its quantisation type. */
    @Param({"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"})
    String type = "Q4_0";

    private final Gguf file = Gguf.open(Fixtures.path("gguf/quants.gguf"));

    @TearDown
    public void close() {
        file.close();
    }

    @Benchmark
    @OperationsPerInvocation(VALUES)
    public float[] dequantize() {
        return file.dequantize(type);
    }
}
