package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CpuTest {
    private static final Set<String> FLAGS = Set.of(
            "sse4_2", "avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_tile");

    @ParameterizedTest
    @CsvSource({
        "SSE41, sse4_2",
        "avx2, sse4_2 avx2 fma",
        "AVX512_CORE, sse4_2 avx2 fma avx512f avx512vl",
        "AVX512_CORE_VNNI, sse4_2 avx2 fma avx512f avx512vl avx512_vnni",
        "AVX512_CORE_BF16, sse4_2 avx2 fma avx512f avx512vl avx512_vnni avx512_bf16"
    })
    void keepsToWhatOneDnnMayUse(String limit, String left) {
        assertThat(Cpu.limitedTo(limit, FLAGS)).containsExactlyInAnyOrder(left.split(" "));
    }

    @Test
    void isNotLimitedOtherwise() {
        assertThat(Cpu.limitedTo(null, FLAGS)).isEqualTo(FLAGS);
        assertThat(Cpu.limitedTo("AVX512_CORE_AMX", FLAGS)).isEqualTo(FLAGS);
        assertThat(Cpu.limitedTo("DEFAULT", FLAGS)).isEqualTo(FLAGS);
    }
}
