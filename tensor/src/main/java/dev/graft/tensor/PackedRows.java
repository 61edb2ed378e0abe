package dev.graft.tensor;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;

import java.util.Arrays;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory.data_type;
import org.bytedeco.dnnl.memory.format_tag;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Matrices in bf16 in the order in which oneDNN's products read them: a product takes half as long as one that {@link RowProducts adds up rows}. What a
 * text gets doesn't depend on how many tokens it has either.
 */
final class PackedRows implements RowMatrices {
    private static final Compiled.Kept OPERATIONS = new Compiled.Kept(256);

    private final Order order;
    private final Tensor bytes;

    private PackedRows(Order order, Tensor bytes) {
        this.order = order;
        this.bytes = bytes;
    }

    /** Whether products of that type are oneDNN's. */
    static boolean areThere(ScalarType type) {
        return type.value == ScalarType.BFloat16.value && Cpu.has("avx512_bf16") && !Cpu.hasAmx();
    }

    /** Zeros for so many rows, which outlive the scope. */
    static PackedRows zeros(int rows, long in, long out) {
        Order order = new Order(in, out);
        try (Scope scope = new Scope()) {
            long size = order.packed(1).get_size();
            return new PackedRows(order, scope.release(Tensors.zeros(ScalarType.Byte, rows, size)));
        }
    }

    /** How matrices stand in memory. */
    private record Order(long in, long out) {
        /** By 64 of W's rows, as oneDNN would, or by fewer where that leaves less empty: up to 48 of them. */
        private format_tag blocks() {
            long columns = (out + 15) / 16 * 16;
            if (columns % 64 == 0) {
                return format_tag.aCB16b64c2b;
            }
            if (columns % 48 == 0) {
                return format_tag.aCB16b48c2b;
            }
            return columns % 32 == 0 ? format_tag.aCB16b32c2b : format_tag.aCB16b16c2b;
        }

        memory.desc packed(long count) {
            return values(blocks(), count, in, out);
        }
    }

    private record Product(Order order, long texts, long tokens, int threads) implements Compiled.Shape {
        @Override
        public Compiled made() {
            memory.desc x = values(format_tag.abc, texts, tokens, order.in);
            memory.desc matrices = order.packed(texts);
            memory.desc y = values(format_tag.abc, texts, tokens, order.out);
            matmul.primitive_desc product =
                    new matmul.primitive_desc(Compiled.CPU, x, matrices, y, Compiled.attributes(), false);
            return new Compiled(
                    new matmul(product),
                    product.scratchpad_desc(),
                    new Compiled.Argument(DNNL_ARG_SRC, x),
                    new Compiled.Argument(DNNL_ARG_WEIGHTS, matrices),
                    new Compiled.Argument(DNNL_ARG_DST, y));
        }
    }

    private record Packing(Order order, ScalarType from, int threads) implements Compiled.Shape {
        @Override
        public Compiled made() {
            memory.desc plain =
                    new memory.desc(new long[] {1, order.in, order.out}, OneDnn.values(from), format_tag.acb);
            return Compiled.reordering(plain, order.packed(1));
        }
    }

    private static memory.desc values(format_tag order, long... shape) {
        return new memory.desc(shape, data_type.bf16, order);
    }

    @Override
    public void put(int row, Tensor matrix) {
        require(matrix, matrix.dim() == 2 && matrix.size(0) == order.out && matrix.size(1) == order.in);
        try (Scope scope = new Scope()) {
            OPERATIONS.run(
                    new Packing(order, matrix.scalar_type().intern(), Natives.threads()),
                    matrix.contiguous(),
                    bytes.select(0, row));
        }
    }

    @Override
    public void clear(int row) {
        bytes.select(0, row).fill_(new Scalar(0.0));
    }

    @Override
    public Tensor times(Tensor x, int first) {
        boolean bf16 = x.scalar_type().value == ScalarType.BFloat16.value;
        require(x, bf16 && x.dim() == 3 && x.size(2) == order.in && first >= 0 && first + x.size(0) <= bytes.size(0));
        Tensor y = Tensors.empty(ScalarType.BFloat16, x.size(0), x.size(1), order.out);
        try (Scope scope = new Scope()) {
            OPERATIONS.run(
                    new Product(order, x.size(0), x.size(1), Natives.threads()),
                    x.contiguous(),
                    bytes.narrow(0, first, x.size(0)),
                    y);
        }
        return y;
    }

    /** oneDNN is given addresses alone. */
    private void require(Tensor tensor, boolean fits) {
        if (!fits) {
            throw new IllegalArgumentException(tensor.scalar_type() + " " + Arrays.toString(Tensors.shape(tensor))
                    + " doesn't fit matrices of " + order.out + " x " + order.in + " for " + bytes.size(0) + " rows");
        }
    }

    @Override
    public void close() {
        bytes.close();
    }
}
