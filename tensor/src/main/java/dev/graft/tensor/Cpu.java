package dev.graft.tensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/** What the processor can do, as the operating system reports it. */
public final class Cpu {
    private static final Set<String> FLAGS = flags();

    private Cpu() {}

    /** Whether bf16 matrix products run in hardware (AVX512-BF16 or AMX). */
    public static boolean hasBf16() {
        return has("avx512_bf16") || hasAmx();
    }

    /** Whether they run in AMX, where one of more rows may add up a row's values in another order. */
    public static boolean hasAmx() {
        return has("amx_bf16");
    }

    /** Whether the processor names this feature, spelled as in {@code /proc/cpuinfo}. */
    public static boolean has(String flag) {
        return FLAGS.contains(flag);
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
