package dev.graft.benchmarks;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.train.bench.Timings;
import dev.graft.train.bench.TrainBenchmark;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Measures a training step of LoRA on a base so small that its arithmetic takes no time: the overhead of the operations.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class LoraStep {
    private static final int ROWS = 4;
    private static final int TOKENS = 16;

    private final TrainBenchmark training = new TrainBenchmark(
            Adapter.create(Base.load(Fixtures.path("bases/llama-gqa")), new Lora(LoraConfig.DEFAULT), 42), 0);
    private final List<List<Example>> batch = List.of(rows());

    private static List<Example> rows() {
        int[] ids = new int[TOKENS];
        Arrays.setAll(ids, i -> 3 + i);
        List<Example> rows = new ArrayList<>();
        for (int row = 0; row < ROWS; row++) {
            rows.add(new Example(row, ids, null, new Target.Tokens(ids)));
        }
        return rows;
    }

    @TearDown
    public void close() {
        training.close();
    }

    @Benchmark
    public Timings step() {
        return training.run(batch, step -> {});
    }
}
