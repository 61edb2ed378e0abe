package dev.graft.benchmarks;

import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Measures opening a safetensors file: reading its header and checking all bounds, without reading tensors. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class SafetensorsOpen {
    /**
     * The number of tensors in the file: about that of a LoRA adapter on all linear layers, and that of a large model.
     */
    @Param({"420", "4000"})
    int tensors = 420;

    private Path file = Path.of("");

    @Setup
    public void write() throws IOException {
        file = Files.createTempFile("open", ".safetensors");
        List<TensorData> all = new ArrayList<>();
        for (int i = 0; i < tensors; i++) {
            String name = "base_model.model.model.layers." + i / 14 + ".self_attn.q_proj.lora_A." + i + ".weight";
            all.add(TensorData.of(name, new float[16], 4, 4));
        }
        Safetensors.write(file, all, Map.of("format", "pt"));
    }

    @TearDown
    public void delete() throws IOException {
        Files.delete(file);
    }

    @Benchmark
    public int open() {
        try (Safetensors opened = Safetensors.open(file)) {
            return opened.names().size();
        }
    }
}
