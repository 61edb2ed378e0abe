package dev.graft.models.matrices;

import dev.graft.formats.quantized.Codebook;
import dev.graft.formats.quantized.NestedScales;
import dev.graft.tensor.Tensors;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A matrix in four bits per value, in blocks that may span rows: NF4 and FP4 in the packing of bitsandbytes. */
public final class FourBitMatrix extends QuantizedMatrix {
    /** The block size of QLoRA. */
    public static final int BLOCK = 64;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final String kind;
    private final long rows;
    private final long columns;
    private final ScalarType type;
    private final Codebook codebook;
    private final int block;
    private final Tensor codes;
    private final BlockScales scales;

    /**
     * Creates a matrix for products in that type.
     *
     * @param codebook the sixteen levels
     * @param block the number of values that share an absolute maximum, a power of two
     * @param codes uint8, two codes each, the earlier one in the upper half
     * @param scales the absolute maxima of the blocks
     */
    public FourBitMatrix(
            String kind,
            long rows,
            long columns,
            ScalarType type,
            Codebook codebook,
            int block,
            Tensor codes,
            BlockScales scales) {
        this.kind = kind;
        this.rows = rows;
        this.columns = columns;
        this.type = type;
        this.codebook = codebook;
        this.block = block;
        this.codes = codes;
        this.scales = scales;
    }

    /** Quantises a matrix in blocks of 64, and their scales in eight bits. */
    static FourBitMatrix of(String kind, Codebook codebook, Tensor values, ScalarType type) {
        Codebook.Blocks blocks = codebook.quantize(Tensors.floats(values), BLOCK);
        byte[] packed = codebook.pack(blocks.codes());
        return new FourBitMatrix(
                kind,
                values.size(0),
                values.size(1),
                type,
                codebook,
                BLOCK,
                Tensors.of(ByteBuffer.wrap(packed), ScalarType.Byte, packed.length),
                BlockScales.Nested.of(NestedScales.of(blocks.absmax(), NestedScales.BLOCK)));
    }

    @Override
    public String kind() {
        return kind;
    }

    @Override
    public long rows() {
        return rows;
    }

    @Override
    public long columns() {
        return columns;
    }

    @Override
    public ScalarType type() {
        return type;
    }

    /** The codebook, as in the constructor. */
    public Codebook codebook() {
        return codebook;
    }

    /** The block size, as in the constructor. */
    public int block() {
        return block;
    }

    /** The codes, as in the constructor. */
    public Tensor codes() {
        return codes;
    }

    /** The absolute maxima of the blocks. */
    public BlockScales scales() {
        return scales;
    }

    @Override
    public QuantizedMatrix requantize(Tensor values) {
        return kept(() -> of(kind, codebook, values, type));
    }

    @Override
    public List<Tensor> parts() {
        List<Tensor> parts = new ArrayList<>(scales.parts());
        parts.add(0, codes);
        return parts;
    }

    @Override
    public long rowAlignment() {
        return block / Math.min(block, Long.lowestOneBit(columns));
    }

    @Override
    public void decode(long from, Tensor into) {
        if (into.scalar_type().value == ScalarType.BFloat16.value && into.numel() % 16 == 0) {
            bfloat16(from * columns, into);
        } else {
            FloatDecoder decoder = this::floats;
            decoder.fill(into, from * columns);
        }
    }

    private void floats(long first, int count, float[] into) {
        byte[] packed = new byte[(count + 1) / 2];
        float[] absmax = new float[(count + block - 1) / block];
        read(first, packed, absmax);
        float[] levels = codebook.levels();
        float[] table = new float[16];
        for (int b = 0; b < absmax.length; b++) {
            for (int code = 0; code < 16; code++) {
                table[code] = levels[code] * absmax[b];
            }
            int end = Math.min(count, (b + 1) * block);
            for (int i = b * block; i < end; i++) {
                int both = packed[i >> 1];
                into[i] = table[(i & 1) == 0 ? both >> 4 & 15 : both & 15];
            }
        }
    }

    /** Four values to a long; a table of the block's sixteen bf16 values spares rounding each. */
    private void bfloat16(long first, Tensor into) {
        long all = into.numel();
        byte[] packed = new byte[FloatDecoder.CHUNK / 2];
        float[] absmax = new float[FloatDecoder.CHUNK / block];
        long[] made = new long[FloatDecoder.CHUNK / 4];
        for (long at = 0; at < all; at += FloatDecoder.CHUNK) {
            int count = (int) Math.min(FloatDecoder.CHUNK, all - at);
            int blocks = (count + block - 1) / block;
            new BytePointer(codes.data_ptr()).position((first + at) / 2).get(packed, 0, count / 2);
            scales.get((first + at) / block, blocks, absmax);
            bfloat16(packed, absmax, count, made);
            new LongPointer(into.data_ptr()).position(at / 4).put(made, 0, count / 4);
        }
    }

    private void bfloat16(byte[] packed, float[] absmax, int count, long[] into) {
        float[] levels = codebook.levels();
        int[] earlier = new int[16];
        int[] later = new int[16];
        for (int start = 0, b = 0; start < count; start += block, b++) {
            float max = absmax[b];
            for (int code = 0; code < 16; code++) {
                int bits = Float.floatToRawIntBits(levels[code] * max);
                bits += 0x7fff + (bits >>> 16 & 1);
                later[code] = bits & 0xffff0000;
                earlier[code] = bits >>> 16;
            }
            int end = Math.min(count, start + block);
            for (int i = start; i < end; i += 16) {
                long x = (long) LONGS.get(packed, i >> 1);
                int lo = (int) x;
                int hi = (int) (x >>> 32);
                int o = i >> 2;
                into[o] = (earlier[lo >>> 4 & 15] | later[lo & 15]) & 0xffffffffL
                        | (long) (earlier[lo >>> 12 & 15] | later[lo >>> 8 & 15]) << 32;
                into[o + 1] = (earlier[lo >>> 20 & 15] | later[lo >>> 16 & 15]) & 0xffffffffL
                        | (long) (earlier[lo >>> 28] | later[lo >>> 24 & 15]) << 32;
                into[o + 2] = (earlier[hi >>> 4 & 15] | later[hi & 15]) & 0xffffffffL
                        | (long) (earlier[hi >>> 12 & 15] | later[hi >>> 8 & 15]) << 32;
                into[o + 3] = (earlier[hi >>> 20 & 15] | later[hi >>> 16 & 15]) & 0xffffffffL
                        | (long) (earlier[hi >>> 28] | later[hi >>> 24 & 15]) << 32;
            }
        }
    }

    private void read(long first, byte[] packed, float[] absmax) {
        new BytePointer(codes.data_ptr()).position(first / 2).get(packed);
        scales.get(first / block, absmax.length, absmax);
    }
}
