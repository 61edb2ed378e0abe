package dev.graft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each benchmark does what it says; its time is not looked at. */
class BenchmarksTest {

    @Test
    void aSafetensorsFileIsOpened() throws IOException {
        SafetensorsOpen benchmark = new SafetensorsOpen();
        benchmark.tensors = 7;
        benchmark.write();
        assertThat(benchmark.open()).isEqualTo(7);
        benchmark.delete();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Q4_0", "Q8_0", "Q6_K"})
    void aQuantisedTensorBecomesFloats(String type) {
        GgufDequantize benchmark = new GgufDequantize();
        benchmark.type = type;
        assertThat(benchmark.dequantize()).hasSize(GgufDequantize.VALUES).doesNotContain(Float.NaN);
        benchmark.close();
    }

    @Test
    void textsBecomeTokens() {
        Tokenise benchmark = new Tokenise();
        int wordPieces = benchmark.one();
        benchmark.kind = "splitbpe";
        assertThat(benchmark.one()).isPositive().isNotEqualTo(wordPieces);
        assertThat(benchmark.sixtyFour()).isEqualTo(64);
    }

    @Test
    void aStepOfLoraLearns() {
        LoraStep benchmark = new LoraStep();
        double first = benchmark.step().first().loss();
        for (int i = 0; i < 20; i++) {
            benchmark.step();
        }
        assertThat(benchmark.step().first().loss()).isLessThan(first);
        benchmark.close();
    }

    /** {@code graft bench compare} looks for them here. */
    @Test
    void thePeersScriptsAreHere() throws IOException {
        for (String name : List.of("make_workload.py", "hf_peft_train.py")) {
            assertThat(Files.readString(Path.of("peer").resolve(name))).startsWith("#!/usr/bin/env python3\n\"\"\"");
        }
    }
}
