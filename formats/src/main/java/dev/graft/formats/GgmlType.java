package dev.graft.formats;

import dev.graft.formats.internal.GgmlBlocks;
import org.jspecify.annotations.Nullable;

/**
 * Storage types of GGUF tensors. Quantised types hold blocks of {@link #blockElements} consecutive elements of a row in
 * {@link #blockBytes} bytes. Source: {@code ggml.h} and {@code ggml-common.h} of ggml-org/llama.cpp.
 */
public enum GgmlType {
    F32(0, 1, 4),
    F16(1, 1, 2),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q5_0(6, 32, 22),
    Q5_1(7, 32, 24),
    Q8_0(8, 32, 34),
    Q8_1(9, 32, 40),
    Q2_K(10, 256, 84),
    Q3_K(11, 256, 110),
    Q4_K(12, 256, 144),
    Q5_K(13, 256, 176),
    Q6_K(14, 256, 210),
    Q8_K(15, 256, 292),
    IQ2_XXS(16, 256, 66),
    IQ2_XS(17, 256, 74),
    IQ3_XXS(18, 256, 98),
    IQ1_S(19, 256, 50),
    IQ4_NL(20, 32, 18),
    IQ3_S(21, 256, 110),
    IQ2_S(22, 256, 82),
    IQ4_XS(23, 256, 136),
    I8(24, 1, 1),
    I16(25, 1, 2),
    I32(26, 1, 4),
    I64(27, 1, 8),
    F64(28, 1, 8),
    IQ1_M(29, 256, 56),
    BF16(30, 1, 2),
    TQ1_0(34, 256, 54),
    TQ2_0(35, 256, 66),
    MXFP4(39, 32, 17);

    private final int id;
    private final int blockElements;
    private final int blockBytes;

    GgmlType(int id, int blockElements, int blockBytes) {
        this.id = id;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    /** Returns the type of this number, {@code null} for numbers that are unknown or no longer in use. */
    public static @Nullable GgmlType of(int id) {
        for (GgmlType type : values()) {
            if (type.id == id) {
                return type;
            }
        }
        return null;
    }

    /** The number of the type in files. */
    public int id() {
        return id;
    }

    public int blockElements() {
        return blockElements;
    }

    public int blockBytes() {
        return blockBytes;
    }

    /** Returns the type under its safetensors name, {@code null} for quantised types. */
    public @Nullable DType toDType() {
        return switch (this) {
            case F64 -> DType.F64;
            case F32 -> DType.F32;
            case F16 -> DType.F16;
            case BF16 -> DType.BF16;
            case I64 -> DType.I64;
            case I32 -> DType.I32;
            case I16 -> DType.I16;
            case I8 -> DType.I8;
            default -> null;
        };
    }

    /** Returns the decoder of a block; null for types that {@link #decode} doesn't support. */
    GgmlBlocks.@Nullable Decoder decoder() {
        return switch (this) {
            case Q4_0 -> GgmlBlocks::q4_0;
            case Q4_1 -> GgmlBlocks::q4_1;
            case Q5_0 -> GgmlBlocks::q5_0;
            case Q5_1 -> GgmlBlocks::q5_1;
            case Q8_0 -> GgmlBlocks::q8_0;
            case Q2_K -> GgmlBlocks::q2K;
            case Q3_K -> GgmlBlocks::q3K;
            case Q4_K -> GgmlBlocks::q4K;
            case Q5_K -> GgmlBlocks::q5K;
            case Q6_K -> GgmlBlocks::q6K;
            default -> null;
        };
    }

    /** Returns whether {@link #decode} supports the type. */
    public boolean isDecodable() {
        return decoder() != null;
    }

    /**
     * Decodes blocks to the start of an array, with the same bits as llama.cpp.
     *
     * @throws IllegalArgumentException for other types than Q4_0 to Q8_0 and Q2_K to Q6_K
     */
    public void decode(byte[] blocks, float[] into) {
        GgmlBlocks.Decoder decoder = decoder();
        if (decoder == null) {
            throw new IllegalArgumentException(this + " can't be decoded");
        }
        for (int block = 0; block < blocks.length / blockBytes; block++) {
            decoder.decode(blocks, block * blockBytes, into, block * blockElements);
        }
    }
}
