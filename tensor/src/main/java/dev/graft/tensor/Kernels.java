package dev.graft.tensor;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Loops in C++ ({@code src/main/native}), compiled by the build for several processors. Each is given addresses of contiguous values in
 * fp32 or, where its flag isn't 0, in bf16, and told how many threads of libtorch's OpenMP may take part. {@link Fused} calls them.
 */
final class Kernels {
    /**
     * Which are in use.
     *
     * @param processor the kind of processor that they were compiled for; null where there are none
     * @param problem why there are none that could be loaded; null where none were looked for
     */
    record Loaded(@Nullable String processor, @Nullable String problem) {}

    static final Loaded LOADED = load();

    private Kernels() {}

    static boolean areAvailable() {
        return LOADED.processor != null;
    }

    /** Has the garbage collector leave tensors alone that a loop was given the addresses of, until here or as long as it is recorded. */
    static void keep(@Nullable Object... tensors) {
        for (Object tensor : tensors) {
            Reference.reachabilityFence(tensor);
        }
        Recording.keep(tensors);
    }

    private static Loaded load() {
        String processor = processor();
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

    private static String processor() {
        if (Cpu.has("avx512_bf16") && Cpu.has("avx512vl") && Cpu.has("avx512dq")) {
            return Cpu.hasAmx() ? "amx_bf16" : "avx512_bf16";
        }
        return Cpu.has("avx2") && Cpu.has("fma") ? "avx2" : "any";
    }

    /** Whether loops read its values. */
    static boolean takes(Tensor x) {
        return takes(x.scalar_type()) && x.numel() > 0;
    }

    static boolean takes(ScalarType type) {
        boolean known = type.value == ScalarType.Float.value || type.value == ScalarType.BFloat16.value;
        return known && areAvailable();
    }

    static boolean isFloat(Tensor x) {
        return isOf(x, ScalarType.Float);
    }

    static boolean isOf(Tensor x, ScalarType type) {
        return x.scalar_type().value == type.value;
    }

    static boolean sameShape(Tensor a, Tensor b) {
        return a.numel() == b.numel() && a.dim() == b.dim();
    }

    static long rows(Tensor x) {
        return x.numel() / x.size(-1);
    }

    /** 1 for bf16, 0 for fp32. */
    static int flag(Tensor x) {
        return flag(x.scalar_type());
    }

    static int flag(ScalarType type) {
        return type.value == ScalarType.BFloat16.value ? 1 : 0;
    }

    /** Fewer values take one thread less time than handing some to another. */
    private static final long WORTH_SHARING = 1 << 15;

    /** How many threads a loop over so many values uses. */
    static int threads(long values) {
        return values < WORTH_SHARING ? 1 : Natives.threads();
    }

    static long at(Tensor x) {
        return x.data_ptr().address();
    }

    static native void rmsNorm(
            long h, int hBf16, long weight, long y, int yBf16, long rows, long n, float eps, int threads);

    /** @param sum whether dh is added to */
    static native void rmsNormBackward(
            long h,
            int hBf16,
            long weight,
            long dy,
            int dyBf16,
            long dh,
            int sum,
            long rows,
            long n,
            float eps,
            int threads);

    /**
     * {@code x = f(gate) ⊙ up} of rows of n values.
     *
     * @param nextGate how many values behind a row's first one that of the next row stands
     * @param up 0 for none
     */
    static native void gate(
            int function,
            int bf16,
            long gate,
            long nextGate,
            long up,
            long nextUp,
            long x,
            long rows,
            long n,
            int threads);

    /** The gradient of the gate in place of dx. */
    static native void gateBackward(
            int function, int bf16, long gate, long up, long dx, long dup, long rows, long n, int threads);

    /** @param y of the type of a */
    static native void add(long a, int aBf16, long b, int bBf16, long y, long n, int threads);

    static native void addTo(long a, int aBf16, long b, int bBf16, long n, int threads);

    /** @param angles how many values behind a text's cosines those of the next one begin */
    static native void rotate(
            long x,
            int bf16,
            long cos,
            long sin,
            int anglesBf16,
            long y,
            float sign,
            long batch,
            long heads,
            long seq,
            long d,
            long turned,
            long xBatch,
            long xHead,
            long xSeq,
            long yBatch,
            long yHead,
            long ySeq,
            long angles,
            int threads);

    /**
     * In place.
     *
     * @param mask what the last scores of a row get, 0 for none
     * @param queries row r has the mask of query {@code r % queries}
     * @param each how many rows share a text
     * @param row how many values behind a query's mask that of the next one begins
     * @param text likewise
     */
    static native void softmax(
            long x,
            int bf16,
            long rows,
            long keys,
            long mask,
            long masked,
            long queries,
            long each,
            long row,
            long text,
            int threads);

    /**
     * Cross-entropy: the gradient in place of the logits x {@code [rows, n]}, times factor and its row's weight, and {@code losses[row]} times the weight.
     *
     * @param labels int64
     */
    static native void crossEntropy(
            long x,
            int bf16,
            long labels,
            long weights,
            long losses,
            long rows,
            long n,
            float smoothing,
            float factor,
            int threads);

    /**
     * {@code y = x ⊙ mask} with the numbers behind that state of {@link Dropout}.
     *
     * @param y may be x
     * @param bound of 16 bits below which a value is dropped
     */
    static native void dropout(long x, long y, int bf16, long n, long state, int bound, float scale, int threads);

    /** The layer norm y of rows x of n values, all in fp32. */
    static native void layerNorm(long x, long weight, long bias, long y, long rows, long n, float eps, int threads);

    /** {@code s = h + mask ⊙ x} and the layer norm y of s, but for x in fp32; n is a multiple of four and at most 4,096. */
    static native void postNorm(
            long h,
            long x,
            int xBf16,
            long weight,
            long bias,
            long s,
            long y,
            long rows,
            long n,
            float eps,
            long state,
            int bound,
            float scale,
            int threads);

    /**
     * Its gradients.
     *
     * @param dh 0 where it isn't wanted
     * @param sum whether dh is added to
     * @param dx likewise
     */
    static native void postNormBackward(
            long s,
            long weight,
            long dy,
            long dh,
            int sum,
            long dx,
            int dxBf16,
            long rows,
            long n,
            float eps,
            long state,
            int bound,
            float scale,
            int threads);

    /**
     * Attention of one more position of each row, whose key and value come behind those that the row has.
     *
     * @param places int64, how many each row has
     * @param heads of keys
     * @param group how many queries share one, 16 at most
     * @param d 256 at most
     * @param capacity for how many positions a head of the stores has room
     */
    static native void attendNext(
            int bf16,
            long q,
            long qRow,
            long qHead,
            long key,
            long keyRow,
            long keyHead,
            long value,
            long valueRow,
            long valueHead,
            long keys,
            long values,
            long places,
            long to,
            long rows,
            long heads,
            long group,
            long d,
            long capacity,
            float scale,
            int threads);

    /** {@code y = scale x} of {@code [a, b, c, n]}, whose first three dimensions have these strides. */
    static native void copy(
            long x,
            long xA,
            long xB,
            long xC,
            long y,
            long yA,
            long yB,
            long yC,
            int bf16,
            long a,
            long b,
            long c,
            long n,
            float scale,
            int threads);

    /** From one of the types to the other. */
    static native void cast(long x, int xBf16, long y, long n, int threads);

    /** 1 if none of the values is infinite or not a number. */
    static native int finite(long x, int bf16, long n);

    /** Asks the system for the registers of AMX: 1 if this process has them. */
    static native int tiles();

    /**
     * {@code y = a b + bias}, or {@code y += a b + bias}, of bf16 matrices a {@code [m, k]} and b {@code [k, n]}, count times.
     *
     * @param aRow how many values behind a row's first one that of the next row stands; columns, and matrices of a batch, likewise
     * @param bias 0 for none
     * @param yFloat whether y is in fp32, else it is in bf16, and k 1,536 at most
     */
    static native void products(
            long a,
            long aRow,
            long aColumn,
            long aNext,
            long b,
            long bRow,
            long bColumn,
            long bNext,
            long bias,
            long y,
            int yFloat,
            long yRow,
            long yColumn,
            long yNext,
            long m,
            long n,
            long k,
            long count,
            int sum,
            int threads);

    /**
     * {@code y = x Wᵀ + before + bias} of bf16 rows x {@code [m, k]}, k a multiple of 32.
     *
     * @param packed W {@code [n, k]} in oneDNN's order BA16a32b2a
     * @param bias 0 for none
     * @param before {@code [m, n]}, 0 for none
     */
    static native void linear(long x, long packed, long bias, long before, long y, long m, long n, long k, int threads);

    /** In place of dp. */
    static native void softmaxBackward(long p, long dp, int bf16, long rows, long keys, int threads);

    /**
     * {@code z = scale · A x} and {@code y = B z} of rows of x, for each of some layers, side by side.
     *
     * @param next how many values behind a row of x the next one begins
     * @param factors int64 {@code [texts, layers, 4]}: where A {@code [rank, in]} is, 0 for none, and B {@code [out, rank]}, the rank, and the bits of the scale
     * @param outs int64 {@code [layers]}
     * @param z room for {@code [rows, layers, most]}
     * @param tokens rows of a text
     * @param most a multiple of 16 that no rank is above
     * @param width of y
     */
    static native void updates(
            int bf16,
            long x,
            long next,
            long factors,
            long outs,
            long z,
            long y,
            long rows,
            long tokens,
            long layers,
            long in,
            long most,
            long width,
            int threads);

    /**
     * The same by products of whole texts in bf16, x {@code [texts, tokens, in]}. Sums over ranks above 1,536 are rounded in between.
     *
     * @param sums room for {@code [texts, tokens, most]} in fp32, z likewise in bf16
     */
    static native void updatesOfTexts(
            long x,
            long factors,
            long outs,
            long sums,
            long z,
            long y,
            long texts,
            long tokens,
            long layers,
            long in,
            long most,
            long width,
            int threads);

    /** Keeps the loops that this thread runs from now on, for {@link #repeat}; says where. */
    static native long record();

    /** Ends that. */
    static native void recorded();

    /** Runs them again. */
    static native void repeat(long recording, int threads);

    static native void forget(long recording);
}
