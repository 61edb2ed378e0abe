package dev.graft.cli.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Cpu;
import dev.graft.tensor.Numerics;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class PackOptionTest {
    @ParameterizedTest
    @ValueSource(strings = {"", "--pack", "--no-pack"})
    void codesAreNotPackedOnRequest(String word) {
        Base base = Base.load(
                Path.of("../parity/fixtures/bases/llama-gqa"),
                Base.Options.DEFAULT.withNumerics(Numerics.BF16).withQuantization(Quantization.INT8));
        CommandLine.populateCommand(new PackOption(), word.isEmpty() ? new String[0] : new String[] {word})
                .apply(base);

        assertThat(base.quantized().values().stream().anyMatch(QuantizedMatrix::isPacked))
                .isEqualTo(Cpu.hasBf16() && !word.equals("--no-pack"));
    }
}
