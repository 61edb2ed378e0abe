package dev.graft.tensor;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
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

    private static final engine CPU = kept(new engine(engine.kind.cpu, 0));
    private static final ThreadLocal<stream> STREAM = ThreadLocal.withInitial(() -> kept(new stream(CPU)));
    private static final Map<Record, OneDnn> ALL = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Record, OneDnn> eldest) {
            return size() > KEPT;
        }
    };

    /**
     * What a product is made for.
     *
     * @param threads how many an operation may use
     */
    private record Shape(ScalarType type, long rows, long in, long out, boolean bias, boolean sum, int threads) {
        data_type values() {
            return type == ScalarType.BFloat16 ? data_type.bf16 : data_type.f32;
        }

        OneDnn made() {
            return new OneDnn(plain(rows, in), matrix(), bias ? plain(1, out) : null, plain(rows, out), sum);
        }

        /** Values one after another. */
        memory.desc plain(long first, long second) {
            return new memory.desc(new long[] {first, second}, values(), format_tag.ab);
        }

        /**
         * W's values in the order in which products read them, whatever their rows. In bf16 oneDNN prefers 64 columns side by side, of which it reads 48 at a
         * time; where those are blocks of their own a product of a matrix that isn't in the cache takes 0.85 of the time.
         */
        memory.desc matrix() {
            boolean blocks = type == ScalarType.BFloat16 && out % 48 == 0 && !Cpu.has("amx_bf16");
            memory.desc any = new memory.desc(new long[] {in, out}, values(), format_tag.any);
            return blocks
                    ? new memory.desc(new long[] {in, out}, values(), format_tag.BA16a48b2a)
                    : new matmul.primitive_desc(CPU, plain(FEW, in), any, plain(FEW, out)).weights_desc();
        }
    }

    /** Products in bf16 of as many matrices, whose second ones stand in memory as is said. */
    private record Batch(long count, long rows, long in, long out, long next, long row, long column, int threads) {
        OneDnn made() {
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

    private static <P extends Pointer> P kept(P made) {
        made.retainReference();
        return made;
    }

    private static OneDnn known(Record shape, Supplier<OneDnn> made) {
        synchronized (ALL) {
            return ALL.computeIfAbsent(shape, absent -> {
                try (Scope scope = new Scope()) {
                    return made.get();
                }
            });
        }
    }

    /** The bytes of a matrix W {@code [out, in]}, in fp32 or bf16, in the order in which products read it. */
    static Tensor packed(Tensor matrix) {
        Tensor w = matrix.contiguous();
        long out = w.size(0);
        long in = w.size(1);
        Shape shape = new Shape(w.scalar_type().intern(), FEW, in, out, false, false, Natives.threads());
        memory.desc order = shape.matrix();
        Tensor bytes = Tensors.empty(ScalarType.Byte, order.get_size());
        memory from =
                new memory(new memory.desc(new long[] {in, out}, shape.values(), format_tag.ba), CPU, w.data_ptr());
        memory to = new memory(order, CPU, bytes.data_ptr());
        stream now = STREAM.get();
        new reorder(from, to).execute(now, from, to);
        now._wait();
        return bytes;
    }

    /**
     * {@code sum + x Wᵀ + b}, rounded once.
     *
     * @param x {@code [..., in]}
     * @param packed W as {@link #packed} gives it
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [..., out]}, or null for nothing
     */
    static Tensor linear(Tensor x, Tensor packed, long out, @Nullable Tensor bias, @Nullable Tensor sum) {
        long[] shape = Tensors.shape(x);
        long in = shape[shape.length - 1];
        long rows = x.numel() / in;
        if (rows == 1) {
            // A long row alone would be summed up in another order.
            Tensor twice = sum == null ? null : sum.reshape(1, out).expand(2, out);
            return linear(x.reshape(1, in).expand(2, in), packed, out, bias, twice)
                    .narrow(0, 0, 1)
                    .view(result(shape, out));
        }
        ScalarType type = x.scalar_type().intern();
        Tensor y = Tensors.empty(type, result(shape, out));
        if (rows == 0) {
            return y;
        }
        Shape key = new Shape(type, rows, in, out, bias != null, sum != null, Natives.threads());
        OneDnn product = known(key, key::made);
        try (Scope scope = new Scope()) {
            product.run(x.contiguous(), packed, bias, sum == null ? null : sum.contiguous(), y);
        }
        return y;
    }

    /** The products of bf16 matrices a {@code [n, rows, in]} and b {@code [n, in, out]}. */
    static Tensor batched(Tensor a, Tensor b) {
        Batch key = new Batch(
                a.size(0), a.size(1), a.size(2), b.size(2), b.stride(0), b.stride(1), b.stride(2), Natives.threads());
        OneDnn product = known(key, key::made);
        Tensor y = Tensors.empty(ScalarType.BFloat16, key.count, key.rows, key.out);
        try (Scope scope = new Scope()) {
            product.run(a.contiguous(), b, null, null, y);
        }
        return y;
    }

    private static long[] result(long[] shape, long out) {
        long[] result = shape.clone();
        result[shape.length - 1] = out;
        return result;
    }

    private void run(Tensor from, Tensor by, @Nullable Tensor added, @Nullable Tensor sum, Tensor to) {
        IntMemoryMap arguments = new IntMemoryMap();
        arguments.put(DNNL_ARG_SRC, new memory(x, CPU, from.data_ptr()));
        arguments.put(DNNL_ARG_WEIGHTS, new memory(matrix, CPU, by.data_ptr()));
        arguments.put(DNNL_ARG_DST, new memory(y, CPU, to.data_ptr()));
        if (added != null && bias != null) {
            arguments.put(DNNL_ARG_BIAS, new memory(bias, CPU, added.data_ptr()));
        }
        if (sum != null) {
            arguments.put(DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1, new memory(y, CPU, sum.data_ptr()));
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
