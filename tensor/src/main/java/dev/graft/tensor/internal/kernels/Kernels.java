package dev.graft.tensor.internal.kernels;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Natives;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedOps;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.function.Consumer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Loops in C++ ({@code src/main/native}), compiled by the build for several processors. Each takes addresses of contiguous values in fp32 or, if
 * their flag isn't 0, in bf16, and the maximum number of OpenMP threads. {@link FusedOps} calls them.
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

    private static final ThreadLocal<@Nullable Consumer<@Nullable Object[]>> KEEPER = new ThreadLocal<>();

    private Kernels() {}

    public static boolean areAvailable() {
        return LOADED.processor != null;
    }

    /**
     * Keeps the garbage collector from freeing tensors whose addresses a loop reads, until this call. While this thread records, they live as
     * long as the recording.
     */
    public static void keepAlive(@Nullable Object... tensors) {
        for (Object tensor : tensors) {
            Reference.reachabilityFence(tensor);
        }
        Consumer<@Nullable Object[]> keeper = KEEPER.get();
        if (keeper != null) {
            keeper.accept(tensors);
        }
    }

    /** Passes the tensors that this thread's loops use from now on to a keeper; null for none. */
    public static void keepWith(@Nullable Consumer<@Nullable Object[]> keeper) {
        if (keeper == null) {
            KEEPER.remove();
        } else {
            KEEPER.set(keeper);
        }
    }

    /** Returns whether this thread's loops are being recorded. */
    public static boolean isRecording() {
        return KEEPER.get() != null;
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
        return a.numel() == b.numel() && a.dim() == b.dim();
    }

    public static long rows(Tensor x) {
        return x.numel() / x.size(-1);
    }

    /** Returns 1 for bf16, 0 for fp32. */
    public static int bf16Flag(Tensor x) {
        return bf16Flag(x.scalar_type());
    }

    public static int bf16Flag(ScalarType type) {
        return type.value == ScalarType.BFloat16.value ? 1 : 0;
    }

    /** Fewer values take one thread less time than handing some to another. */
    private static final long WORTH_SHARING = 1 << 15;

    /** Returns the number of threads for a loop over that many values. */
    public static int threads(long values) {
        return values < WORTH_SHARING ? 1 : Natives.threads();
    }

    public static long address(Tensor x) {
        return x.data_ptr().address();
    }

    public static native void rmsNorm(
            long h, int hBf16, long weight, long y, int yBf16, long rows, long n, float eps, int threads);

    /** @param sum whether the result is added to dh */
    public static native void rmsNormBackward(
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
     * Computes {@code x = f(gate) ⊙ up} of rows of n values.
     *
     * @param nextGate the distance from one row's first value to the next row's
     * @param up 0 for none
     */
    public static native void gate(
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

    /** Writes the gradient of the gate over dx. */
    public static native void gateBackward(
            int function, int bf16, long gate, long up, long dx, long dup, long rows, long n, int threads);

    /** @param y has the type of a */
    public static native void add(long a, int aBf16, long b, int bBf16, long y, long n, int threads);

    public static native void addTo(long a, int aBf16, long b, int bBf16, long n, int threads);

    /** @param angles the distance from one text's cosines to the next text's */
    public static native void rotate(
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
     * Computes the softmax in place.
     *
     * @param mask added to the last scores of a row, 0 for none
     * @param queries row r has the mask of query {@code r % queries}
     * @param each the number of rows of a text
     * @param row the distance from one query's mask to the next one's
     * @param text the distance from one text's mask to the next one's
     */
    public static native void softmax(
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
     * Computes the cross-entropy of logits x {@code [rows, n]}: {@code losses[row]} times the row's weight. Overwrites the logits with the
     * gradient, times factor and the row's weight.
     *
     * @param labels int64
     */
    public static native void crossEntropy(
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
     * Computes {@code y = x ⊙ mask} with the numbers that follow that state of {@link Dropout}.
     *
     * @param y may be x
     * @param bound a value is dropped if its 16 bits are below this
     */
    public static native void dropout(
            long x, long y, int bf16, long n, long state, int bound, float scale, int threads);

    /** Computes the layer norm y of rows x of n values, all in fp32. */
    public static native void layerNorm(
            long x, long weight, long bias, long y, long rows, long n, float eps, int threads);

    /**
     * Computes {@code s = h + mask ⊙ x} and the layer norm y of s, all in fp32 except x. n is a multiple of four and at most 4,096.
     */
    public static native void postNorm(
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
     * Computes the gradients of {@link #postNorm}.
     *
     * @param dh 0 if it isn't needed
     * @param sum whether the result is added to dh
     * @param dx 0 if it isn't needed
     */
    public static native void postNormBackward(
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
     * Computes attention of one more position in each row. Its key and value are written behind the row's cached ones.
     *
     * @param places int64, the number of cached positions of each row
     * @param heads the number of key heads
     * @param group the number of queries that share a key head, at most 16
     * @param d at most 256
     * @param capacity the number of positions allocated for a head in the cache
     */
    public static native void attendNext(
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

    /** Computes {@code y = scale x} of {@code [a, b, c, n]}, whose first three dimensions have these strides. */
    public static native void copy(
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

    /** Converts between the two types. */
    public static native void cast(long x, int xBf16, long y, long n, int threads);

    /** Computes the values of int8 codes with an fp32 scale for each row. */
    public static native void decodeInt8(
            long codes, long scales, long y, int bf16, long rows, long columns, int threads);

    /** Returns 1 if all values are finite. */
    public static native int finite(long x, int bf16, long n);

    /** Requests AMX's registers from the system; returns 1 if this process has them. */
    public static native int tiles();

    /**
     * Computes {@code y = a b + bias}, or {@code y += a b + bias}, of count bf16 matrices a {@code [m, k]} and b {@code [k, n]}.
     *
     * @param aRow the distance from one row's first value to the next row's; columns, and matrices of a batch, likewise
     * @param bias 0 for none
     * @param yFloat whether y is fp32; else it is bf16, and k is at most 1,536
     */
    public static native void products(
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
     * Computes {@code y = x Wᵀ + before + bias} of bf16 rows x {@code [m, k]}; k is a multiple of 32.
     *
     * @param packed W {@code [n, k]} in oneDNN's order BA16a32b2a
     * @param bias 0 for none
     * @param before {@code [m, n]}, 0 for none
     */
    public static native void linear(
            long x, long packed, long bias, long before, long y, long m, long n, long k, int threads);

    /** Overwrites dp with the gradient of the softmax. */
    public static native void softmaxBackward(long p, long dp, int bf16, long rows, long keys, int threads);

    /**
     * Computes {@code z = scale · A x} and {@code y = B z} of rows of x, for several layers side by side.
     *
     * @param next the distance from one row of x to the next
     * @param factors int64 {@code [texts, layers, 4]}: the addresses of A {@code [rank, in]} (0 for none) and B {@code [out, rank]}, the rank,
     *     and the bits of the scale
     * @param outs int64 {@code [layers]}
     * @param z memory for {@code [rows, layers, most]}
     * @param tokens the number of rows of a text
     * @param most a multiple of 16, at least the largest rank
     * @param width the width of y
     */
    public static native void updates(
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
     * Computes the updates by products of whole texts in bf16, x {@code [texts, tokens, in]}. Sums over ranks above 1,536 are rounded in between.
     *
     * @param sums memory for {@code [texts, tokens, most]} in fp32; z likewise in bf16
     */
    public static native void updatesOfTexts(
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

    /** Starts to record the loops of this thread for {@link #repeat}; returns the recording's address. */
    public static native long record();

    /** Stops recording. */
    public static native void recorded();

    /** Runs the recorded loops again. */
    public static native void repeat(long recording, int threads);

    public static native void forget(long recording);
}
