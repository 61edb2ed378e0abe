package dev.graft.tensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The features of the processor, as the operating system reports it, without those that {@code ONEDNN_MAX_CPU_ISA} disables. Graft's own loops
 * obey that variable too.
 */
public final class Cpu {
    private static final Set<String> FLAGS = limitedTo(System.getenv("ONEDNN_MAX_CPU_ISA"), flags());

    private Cpu() {}

    /** Returns whether bf16 matrix products run in hardware (AVX512-BF16 or AMX). */
    public static boolean hasBf16() {
        return has("avx512_bf16") || hasAmx();
    }

    /** Returns whether these products run in AMX, which may sum a row in another order if there are several rows. */
    public static boolean hasAmx() {
        return has("amx_bf16");
    }

    /** Returns whether the processor names this feature, spelled as in {@code /proc/cpuinfo}. */
    public static boolean has(String flag) {
        return FLAGS.contains(flag);
    }

    /** Returns the flags that a value of oneDNN's variable allows: all if it is null or unknown. */
    static Set<String> limitedTo(@Nullable String limit, Set<String> flags) {
        int most = limit == null ? Integer.MAX_VALUE : level(limit.toUpperCase(Locale.ROOT));
        return flags.stream().filter(flag -> levelOf(flag) <= most).collect(Collectors.toUnmodifiableSet());
    }

    private static int level(String limit) {
        return switch (limit) {
            case "SSE41", "AVX" -> 0;
            case "AVX2", "AVX2_VNNI", "AVX2_VNNI_2" -> 1;
            case "AVX512_CORE" -> 2;
            case "AVX512_CORE_VNNI" -> 3;
            case "AVX512_CORE_BF16", "AVX512_CORE_FP16" -> 4;
            default -> 5;
        };
    }

    private static int levelOf(String flag) {
        return switch (flag) {
            case "avx2", "fma" -> 1;
            case "avx512_vnni" -> 3;
            case "avx512_bf16" -> 4;
            default -> flag.startsWith("avx512") ? 2 : flag.startsWith("amx") ? 5 : 0;
        };
    }

    private static Set<String> flags() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
                if (line.startsWith("flags")) {
                    return Set.of(line.substring(line.indexOf(':') + 1).strip().split("\\s+"));
                }
            }
        } catch (IOException noSuchFile) {
            return Set.of();
        }
        return Set.of();
    }
}
