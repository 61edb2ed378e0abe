package dev.graft.tensor.internal.kernels;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Natives;
import dev.graft.tensor.ops.FusedOps;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Loads the loops in C++ ({@code src/main/native}), compiled by the build for several processors. The classes in {@code ops} declare and call
 * them, such as {@link FusedOps}. Each loop takes addresses of values in fp32 or, if their flag isn't 0, in bf16, and the maximum number of OpenMP
 * threads.
 */
public final class Kernels {
    /**
     * The loops in use.
     *
     * @param processor the kind of processor that they were compiled for; null if there are none
     * @param problem the reason why none could be loaded; null if none were looked for
     */
    public record Loaded(
            @Nullable String processor, @Nullable String problem) {}

    public static final Loaded LOADED = load();

    private Kernels() {}

    public static boolean areAvailable() {
        return LOADED.processor != null;
    }

    private static Loaded load() {
        ProcessorKind kind = ProcessorKind.of(Cpu::has);
        if (kind == null) {
            return new Loaded(null, null);
        }
        String processor = kind.folder();
        String name = "/META-INF/native/" + Loader.getPlatform() + "/" + processor + "/libgraft.so";
        try (InputStream library = Kernels.class.getResourceAsStream(name)) {
            if (library == null) {
                return new Loaded(null, null);
            }
            // A name of its own, and gone once it is loaded: another version never finds it.
            Path copy = Files.createTempFile("libgraft", ".so");
            try {
                Files.copy(library, copy, StandardCopyOption.REPLACE_EXISTING);
                System.load(copy.toString());
            } finally {
                Files.deleteIfExists(copy);
            }
            return new Loaded(processor, null);
        } catch (IOException | UnsatisfiedLinkError error) {
            return new Loaded(null, String.valueOf(error.getMessage()));
        }
    }

    /** Returns whether loops can read the tensor's values. */
    public static boolean supports(Tensor x) {
        return supports(x.scalar_type()) && x.numel() > 0;
    }

    public static boolean supports(ScalarType type) {
        boolean known = type.value == ScalarType.Float.value || type.value == ScalarType.BFloat16.value;
        return known && areAvailable();
    }

    public static boolean isFloat(Tensor x) {
        return isOf(x, ScalarType.Float);
    }

    public static boolean isOf(Tensor x, ScalarType type) {
        return x.scalar_type().value == type.value;
    }

    public static boolean sameShape(Tensor a, Tensor b) {
        return a.is_same_size(b);
    }

    public static long rows(Tensor x) {
        return x.numel() / x.size(-1);
    }

    /** Returns 1 for bf16, 0 for other types. */
    static int bf16Flag(ScalarType type) {
        return type.value == ScalarType.BFloat16.value ? 1 : 0;
    }

    /** Fewer values take one thread less time than handing some to another. */
    private static final long WORTH_SHARING = 1 << 15;

    /** Returns the number of threads for a loop over that many values. */
    public static int threads(long values) {
        return values < WORTH_SHARING ? 1 : Natives.threads();
    }
}
