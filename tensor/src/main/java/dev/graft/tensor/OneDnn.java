package dev.graft.tensor;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl.algorithm;
import org.bytedeco.dnnl.global.dnnl.scratchpad_mode;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory.data_type;
import org.bytedeco.dnnl.memory.format_tag;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * oneDNN's product of one shape. libtorch describes each product anew, which takes longer than a small product itself; here it is
 * described once. Safe for use by several threads.
 */
final class OneDnn {
    /** So many shapes are kept; what nobody uses is freed by the garbage collector. */
    private static final int KEPT = 512;

    /** Rows for which matrices are laid out. */
    private static final int FEW = 8;

    private static final engine CPU = cpu();
    private static final ThreadLocal<stream> STREAM = ThreadLocal.withInitial(() -> kept(new stream(CPU)));
    private static final Map<Shape, OneDnn> ALL = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Shape, OneDnn> eldest) {
            return size() > KEPT;
        }
    };

    /** W's values in the order in which products read them, one for all products, whatever their rows and threads. */
    private static final Map<Matrix, memory.desc> ORDERS = new ConcurrentHashMap<>();

    /** What a product is made for. */
    private sealed interface Shape {
        OneDnn made();
    }

    /** A matrix W {@code [out, in]} in fp32 or bf16. */
    record Matrix(ScalarType type, long in, long out) {
        private data_type values() {
            return type == ScalarType.BFloat16 ? data_type.bf16 : data_type.f32;
        }

        /** Values one after another. */
        private memory.desc plain(long first, long second) {
            return new memory.desc(new long[] {first, second}, values(), format_tag.ab);
        }

        private memory.desc order() {
            return ORDERS.computeIfAbsent(this, absent -> {
                try (Scope scope = new Scope()) {
                    return kept(chosen());
                }
            });
        }

        /** In bf16 a product of a matrix that isn't in the cache takes 0.85 of the time in blocks of 48 columns, where oneDNN would take 64. */
        private memory.desc chosen() {
            if (type == ScalarType.BFloat16 && out % 48 == 0 && !Cpu.has("amx_bf16")) {
                return new memory.desc(new long[] {in, out}, values(), format_tag.BA16a48b2a);
            }
            memory.desc any = new memory.desc(new long[] {in, out}, values(), format_tag.any);
            return new matmul.primitive_desc(CPU, plain(FEW, in), any, plain(FEW, out)).weights_desc();
        }
    }

    /**
     * A product with a matrix.
     *
     * @param threads how many an operation may use
     */
    private record Layer(Matrix matrix, long rows, boolean bias, boolean sum, int threads) implements Shape {
        @Override
        public OneDnn made() {
            memory.desc y = matrix.plain(rows, matrix.out);
            memory.desc added = bias ? matrix.plain(1, matrix.out) : null;
            return new OneDnn(matrix.plain(rows, matrix.in), matrix.order(), added, y, sum);
        }
    }

    /** Products in bf16 of as many matrices, whose second ones stand in memory as is said. */
    private record Batch(long count, long rows, long in, long out, long next, long row, long column, int threads)
            implements Shape {
        @Override
        public OneDnn made() {
            return new OneDnn(plain(rows, in), matrices(), null, plain(rows, out), false);
        }

        private memory.desc plain(long first, long second) {
            return new memory.desc(new long[] {count, first, second}, data_type.bf16, format_tag.abc);
        }

        private memory.desc matrices() {
            return new memory.desc(new long[] {count, in, out}, data_type.bf16, new long[] {next, row, column});
        }
    }

    private final matmul product;
    private final memory.desc x;
    private final memory.desc matrix;
    private final memory.@Nullable desc bias;
    private final memory.desc y;
    private final memory.@Nullable desc scratch;

    /** @param sum whether something of y's shape is added */
    private OneDnn(memory.desc x, memory.desc matrix, memory.@Nullable desc bias, memory.desc y, boolean sum) {
        this.x = kept(x);
        this.matrix = kept(matrix);
        this.bias = bias == null ? null : kept(bias);
        this.y = kept(y);
        primitive_attr attributes = new primitive_attr();
        // Else threads that run the same product would share one.
        attributes.set_scratchpad_mode(scratchpad_mode.user);
        if (sum) {
            post_ops behind = new post_ops();
            behind.append_binary(algorithm.binary_add, y);
            attributes.set_post_ops(behind);
        }
        matmul.primitive_desc description = bias == null
                ? new matmul.primitive_desc(CPU, x, matrix, y, attributes, false)
                : new matmul.primitive_desc(CPU, x, matrix, bias, y, attributes, false);
        memory.desc wanted = description.scratchpad_desc();
        scratch = wanted.get_size() == 0 ? null : kept(wanted);
        product = kept(new matmul(description));
    }

    private static engine cpu() {
        Natives.load();
        try {
            return kept(new engine(engine.kind.cpu, 0));
        } catch (LinkageError error) {
            throw Natives.missing("oneDNN", "dnnl and opencl", error);
        }
    }

    private static <P extends Pointer> P kept(P made) {
        made.retainReference();
        return made;
    }

    private static OneDnn of(Shape shape) {
        synchronized (ALL) {
            return ALL.computeIfAbsent(shape, absent -> {
                try (Scope scope = new Scope()) {
                    return absent.made();
                }
            });
        }
    }

    /** The bytes of W {@code [out, in]} in the order in which products read it. */
    static Tensor packed(Matrix matrix, Tensor w) {
        memory.desc order = matrix.order();
        Tensor bytes = Tensors.empty(ScalarType.Byte, order.get_size());
        memory.desc plain = new memory.desc(new long[] {matrix.in, matrix.out}, matrix.values(), format_tag.ba);
        memory from = new memory(plain, CPU, w.contiguous().data_ptr());
        memory to = new memory(order, CPU, bytes.data_ptr());
        stream now = STREAM.get();
        new reorder(from, to).execute(now, from, to);
        now._wait();
        return bytes;
    }

    /**
     * {@code sum + x Wᵀ + b}, rounded once; all of the matrix's type.
     *
     * @param x {@code [..., in]}
     * @param packed W as {@link #packed} gives it
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [..., out]}, or null for nothing
     */
    static Tensor linear(Matrix matrix, Tensor packed, Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        long[] shape = Tensors.shape(x);
        shape[shape.length - 1] = matrix.out;
        long rows = x.numel() / matrix.in;
        if (rows == 1) {
            // A long row alone would be summed up in another order.
            Tensor twice = sum == null ? null : sum.reshape(1, matrix.out).expand(2, matrix.out);
            return linear(matrix, packed, x.reshape(1, matrix.in).expand(2, matrix.in), bias, twice)
                    .narrow(0, 0, 1)
                    .view(shape);
        }
        Tensor y = Tensors.empty(matrix.type, shape);
        if (rows == 0) {
            return y;
        }
        OneDnn product = of(new Layer(matrix, rows, bias != null, sum != null, Natives.threads()));
        try (Scope scope = new Scope()) {
            product.run(x, packed, bias, sum, y);
        }
        return y;
    }

    /** The products of bf16 matrices a {@code [n, rows, in]} and b {@code [n, in, out]}. */
    static Tensor batched(Tensor a, Tensor b) {
        if (a.size(0) != b.size(0) || a.size(2) != b.size(1) || b.scalar_type().value != ScalarType.BFloat16.value) {
            throw new IllegalArgumentException("bf16 " + Arrays.toString(Tensors.shape(a)) + " can't be multiplied by "
                    + b.scalar_type() + " " + Arrays.toString(Tensors.shape(b)));
        }
        OneDnn product = of(new Batch(
                a.size(0), a.size(1), a.size(2), b.size(2), b.stride(0), b.stride(1), b.stride(2), Natives.threads()));
        Tensor y = Tensors.empty(ScalarType.BFloat16, a.size(0), a.size(1), b.size(2));
        try (Scope scope = new Scope()) {
            product.run(a, b, null, null, y);
        }
        return y;
    }

    private void run(Tensor from, Tensor by, @Nullable Tensor added, @Nullable Tensor sum, Tensor to) {
        IntMemoryMap arguments = new IntMemoryMap();
        arguments.put(DNNL_ARG_SRC, new memory(x, CPU, from.contiguous().data_ptr()));
        arguments.put(DNNL_ARG_WEIGHTS, new memory(matrix, CPU, by.data_ptr()));
        arguments.put(DNNL_ARG_DST, new memory(y, CPU, to.data_ptr()));
        if (added != null && bias != null) {
            arguments.put(
                    DNNL_ARG_BIAS, new memory(bias, CPU, added.contiguous().data_ptr()));
        }
        if (sum != null) {
            arguments.put(
                    DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1,
                    new memory(y, CPU, sum.contiguous().data_ptr()));
        }
        if (scratch != null) {
            Tensor space = Tensors.empty(ScalarType.Byte, scratch.get_size());
            arguments.put(DNNL_ARG_SCRATCHPAD, new memory(scratch, CPU, space.data_ptr()));
        }
        stream now = STREAM.get();
        product.execute(now, arguments);
        now._wait();
    }
}
