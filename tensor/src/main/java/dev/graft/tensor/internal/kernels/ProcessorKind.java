package dev.graft.tensor.internal.kernels;

import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Kinds of processors that the loops are compiled for ({@code build.xml}), each with all that the one before has. */
enum ProcessorKind {
    /** x86-64-v2. */
    ANY("cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"),
    /** x86-64-v3. */
    AVX2("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"),
    /** x86-64-v4 with products of bf16 pairs. */
    AVX512_BF16("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_bf16"),
    AMX_BF16("amx_tile", "amx_bf16");

    /** The features that the compiler may use for this kind beyond those of the one before, as Linux names them. */
    private final List<String> features;

    ProcessorKind(String... features) {
        this.features = List.of(features);
    }

    /** Returns the last kind whose features a processor has, all of them; null if there is none. */
    static @Nullable ProcessorKind of(Predicate<String> has) {
        ProcessorKind best = null;
        for (ProcessorKind kind : values()) {
            if (!kind.features.stream().allMatch(has)) {
                break;
            }
            best = kind;
        }
        return best;
    }

    /** Returns the name of its folder and of its objects. */
    String folder() {
        return name().toLowerCase(Locale.ROOT);
    }
}
