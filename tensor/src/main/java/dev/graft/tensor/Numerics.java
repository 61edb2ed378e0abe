package dev.graft.tensor;

import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The number formats of a run. Trainable adapters, norms, softmax, losses and optimiser state are always fp32 (fp64 with an fp64 base). Only the
 * frozen base's matrices, and products with them, have the chosen format.
 *
 * @param base the format of the frozen base's matrices
 */
public record Numerics(ScalarType base) {
    /** Everything in fp32, like the reference implementations, for parity. */
    public static final Numerics FP32 = new Numerics(ScalarType.Float);

    /** Frozen matrices in bf16, everything small in fp32. */
    public static final Numerics BF16 = new Numerics(ScalarType.BFloat16);

    /** Everything in fp64: for gradient checks. */
    public static final Numerics FP64 = new Numerics(ScalarType.Double);

    /** {@link #BF16} where the processor has bf16 arithmetic, else {@link #FP32}. */
    public static Numerics auto() {
        return Cpu.hasBf16() ? BF16 : FP32;
    }

    /** The format of everything but the frozen matrices: fp64 if the base is fp64, else fp32. */
    public ScalarType small() {
        // By value: a tensor's scalar_type() is a new object each time.
        return base.value == ScalarType.Double.value ? ScalarType.Double : ScalarType.Float;
    }

    /** Returns the policy named {@code auto}, {@code fp32}, {@code bf16} or {@code fp64}. */
    public static Numerics of(String name) {
        return switch (name) {
            case "auto" -> auto();
            case "fp32" -> FP32;
            case "bf16" -> BF16;
            case "fp64" -> FP64;
            default ->
                throw new IllegalArgumentException("dtype is \"" + name + "\", expected auto, fp32, bf16 or fp64");
        };
    }
}
