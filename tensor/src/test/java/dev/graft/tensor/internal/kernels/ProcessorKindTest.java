package dev.graft.tensor.internal.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProcessorKindTest {
    private static final Set<String> ALL =
            Set.of(("cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave "
                            + "avx512f avx512bw avx512cd avx512dq avx512vl avx512_bf16 amx_tile amx_bf16")
                    .split(" "));

    @Test
    void aProcessorWithEverythingHasTheLastKind() {
        assertThat(ProcessorKind.of(ALL::contains)).isEqualTo(ProcessorKind.AMX_BF16);
    }

    /** A virtual machine may hide any feature from its processor. */
    @ParameterizedTest
    @CsvSource({
        "amx_tile, AVX512_BF16",
        "avx512_bf16, AVX2",
        "avx512cd, AVX2",
        "bmi2, ANY",
        "f16c, ANY",
        "abm, ANY",
        "sse4_2, "
    })
    void aHiddenFeatureLeavesTheKindsThatDoWithoutIt(String hidden, ProcessorKind expected) {
        Set<String> others = new HashSet<>(ALL);
        others.remove(hidden);
        assertThat(ProcessorKind.of(others::contains)).isEqualTo(expected);
    }
}
