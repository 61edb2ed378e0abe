package dev.graft.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.graft.models.Base;
import dev.graft.models.matrices.Quantization;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AutoQuantizationTest {
    /** Experts, tables of words and positions, and heads stay whole; so do routers, which are small. */
    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "bert-seqcls", "qwen3-moe", "gpt2", "t5"})
    void countsWhatIsKeptInFewerBits(String name) {
        Path folder = Path.of("../parity/fixtures/bases", name);
        Base whole = Base.load(folder);
        Base quantized = Base.load(folder, Base.Options.DEFAULT.withQuantization(Quantization.NF4));
        long kept = quantized.quantized().values().stream()
                .mapToLong(matrix -> matrix.rows() * matrix.columns())
                .sum();

        assertThat(AutoQuantization.quantizable(quantized)).isCloseTo(kept, withinPercentage(5));
        assertThat(AutoQuantization.quantizable(whole)).isEqualTo(AutoQuantization.quantizable(quantized));
    }
}
