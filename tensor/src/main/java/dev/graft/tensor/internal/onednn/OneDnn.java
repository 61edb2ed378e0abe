package dev.graft.tensor.internal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_SCALES;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_0;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_RUNTIME_DIM_VAL;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.MatrixLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.dnnl.binary;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl.algorithm;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory.data_type;
import org.bytedeco.dnnl.memory.format_tag;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products by oneDNN. libtorch describes each product anew, which takes longer than a small product itself. Here each shape is described
 * once ({@link CompiledPrimitive}). Safe for use by several threads.
 */
public final class OneDnn {
    private static final engine CPU = CompiledPrimitive.CPU;

    /** Rows for which matrices are laid out. */
    private static final int FEW = 8;

    /** A step of served texts has few rows, and their numbers come again. */
    private static final CompiledPrimitive.LruCache SERVING_CACHE = new CompiledPrimitive.LruCache(512);

    /** Steps of training have many rows, another number each time, and what is compiled for one takes a quarter of a MiB. */
    private static final CompiledPrimitive.LruCache TRAINING_CACHE =
            new CompiledPrimitive.LruCache(48 * Runtime.getRuntime().availableProcessors());

    static {
        Natives.registerCompiled(TRAINING_CACHE::clear);
    }

    /** The value for any number. */
    private static final long ANY = DNNL_RUNTIME_DIM_VAL;

    /** Gradients of adapters of any number of tokens: as many as there are shapes of adapters. */
    private static final Map<ProductShape, CompiledPrimitive> GRADIENTS = new ConcurrentHashMap<>();

    /** W's values in the order in which products read them, one for all products, whatever their rows and threads. */
    private static final Map<WeightShape, memory.desc> ORDERS = new ConcurrentHashMap<>();

    /** A matrix W {@code [out, in]} in fp32 or bf16. */
    public record WeightShape(ScalarType type, long in, long out) {
        private data_type values() {
            return OneDnn.values(type);
        }

        /** Values one after another. */
        private memory.desc plain(long first, long second) {
            return new memory.desc(new long[] {first, second}, values(), format_tag.ab);
        }

        /** Returns whether its values are in blocks of 32 columns, the order that {@code Bf16Products} reads. */
        public boolean isInTiles() {
            return type.value == ScalarType.BFloat16.value
                    && in % 32 == 0
                    && order().equals(new memory.desc(new long[] {in, out}, values(), format_tag.BA16a32b2a));
        }

        private memory.desc order() {
            return ORDERS.computeIfAbsent(this, absent -> {
                try (Scope scope = new Scope()) {
                    return CompiledPrimitive.kept(chosen());
                }
            });
        }

        /** In bf16 a product of a matrix that isn't in the cache takes 0.85 of the time in blocks of 48 columns, where oneDNN would take 64. */
        private memory.desc chosen() {
            if (type.value == ScalarType.BFloat16.value && out % 48 == 0 && !Cpu.hasAmx()) {
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
    private record LinearShape(WeightShape matrix, long rows, boolean bias, boolean sum, int threads)
            implements CompiledPrimitive.PrimitiveShape {
        @Override
        public CompiledPrimitive create() {
            memory.desc x = matrix.plain(rows, matrix.in);
            memory.desc y = matrix.plain(rows, matrix.out);
            memory.desc added = matrix.plain(1, matrix.out);
            primitive_attr attributes = CompiledPrimitive.attributes();
            if (sum) {
                post_ops behind = new post_ops();
                behind.append_binary(algorithm.binary_add, y);
                attributes.set_post_ops(behind);
            }
            matmul.primitive_desc product = product(x, matrix.order(), bias ? added : null, y, attributes);
            return new CompiledPrimitive(
                    new matmul(product),
                    product.scratchpad_desc(),
                    new CompiledPrimitive.Argument(DNNL_ARG_SRC, x),
                    new CompiledPrimitive.Argument(DNNL_ARG_WEIGHTS, matrix.order()),
                    new CompiledPrimitive.Argument(DNNL_ARG_DST, y),
                    bias ? new CompiledPrimitive.Argument(DNNL_ARG_BIAS, added) : null,
                    sum
                            ? new CompiledPrimitive.Argument(DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1, y)
                            : null);
        }
    }

    /**
     * Products of two bf16 matrices, or of as many in batches.
     *
     * @param type of the products
     * @param sum whether they are added to what is there
     */
    private record ProductShape(
            MatrixLayout a, MatrixLayout b, MatrixLayout y, data_type type, boolean bias, boolean sum, int threads)
            implements CompiledPrimitive.PrimitiveShape {
        /** The most rows or columns of a gradient that is compiled for any number of tokens. */
        private static final int NARROW = 64;

        /**
         * Computes, for any number of tokens, the gradient {@code gᵀ x} of a narrow matrix, which then takes as long and isn't compiled
         * anew for each step; else null.
         */
        private @Nullable ProductShape ofAnyTokens() {
            boolean gradient = type == data_type.f32 && a.count() == 0 && a.rowStride() == 1 && b.isRowMajor();
            boolean low = a.rows() <= Math.min(NARROW, b.columns());
            return gradient && low
                    ? new ProductShape(a.withColumns(ANY), b.withRows(ANY), y, type, bias, sum, threads)
                    : null;
        }

        @Override
        public CompiledPrimitive create() {
            ProductShape ofAnyTokens = a.columns() == ANY ? null : ofAnyTokens();
            memory.desc first = desc(a, data_type.bf16);
            memory.desc second = desc(b, data_type.bf16);
            memory.desc result = desc(y, type);
            memory.desc added = new memory.desc(new long[] {1, y.columns()}, data_type.bf16, format_tag.ab);
            CompiledPrimitive.Argument[] arguments = {
                new CompiledPrimitive.Argument(DNNL_ARG_SRC, first, bytes(a, data_type.bf16)),
                new CompiledPrimitive.Argument(DNNL_ARG_WEIGHTS, second, bytes(b, data_type.bf16)),
                new CompiledPrimitive.Argument(DNNL_ARG_DST, result, bytes(y, type)),
                bias ? new CompiledPrimitive.Argument(DNNL_ARG_BIAS, added) : null
            };
            if (ofAnyTokens != null) {
                return GRADIENTS
                        .computeIfAbsent(ofAnyTokens, CompiledPrimitive.PrimitiveShape::create)
                        .with(arguments);
            }
            primitive_attr attributes = CompiledPrimitive.attributes();
            if (sum) {
                post_ops behind = new post_ops();
                behind.append_sum();
                attributes.set_post_ops(behind);
            }
            matmul.primitive_desc product = product(first, second, bias ? added : null, result, attributes);
            return new CompiledPrimitive(new matmul(product), product.scratchpad_desc(), arguments);
        }
    }

    /** Each row of x times a factor of its own, rounded to int8. */
    private record RoundingShape(data_type type, long rows, long columns, int threads)
            implements CompiledPrimitive.PrimitiveShape {
        @Override
        public CompiledPrimitive create() {
            memory.desc x = new memory.desc(new long[] {rows, columns}, type, format_tag.ab);
            memory.desc factors = new memory.desc(new long[] {rows, 1}, data_type.f32, format_tag.ab);
            memory.desc y = new memory.desc(new long[] {rows, columns}, data_type.s8, format_tag.ab);
            binary.primitive_desc product = new binary.primitive_desc(
                    CPU, algorithm.binary_mul, x, factors, y, CompiledPrimitive.attributes(), false);
            return new CompiledPrimitive(
                    new binary(product),
                    product.scratchpad_desc(),
                    new CompiledPrimitive.Argument(DNNL_ARG_SRC_0, x),
                    new CompiledPrimitive.Argument(DNNL_ARG_SRC_1, factors),
                    new CompiledPrimitive.Argument(DNNL_ARG_DST, y));
        }
    }

    /** A product in int8, whose rows, and columns if that is said, have factors of their own. A batch of one: for that alone oneDNN has rows' factors. */
    private record Int8Shape(data_type type, long rows, long in, long out, boolean columns, boolean sum, int threads)
            implements CompiledPrimitive.PrimitiveShape {
        @Override
        public CompiledPrimitive create() {
            memory.desc x = new memory.desc(new long[] {1, rows, in}, data_type.s8, format_tag.abc);
            memory.desc matrix = new memory.desc(new long[] {1, in, out}, data_type.s8, format_tag.abc);
            memory.desc y = new memory.desc(new long[] {1, rows, out}, type, format_tag.abc);
            memory.desc rowFactors = new memory.desc(new long[] {1, rows, 1}, data_type.f32, format_tag.abc);
            memory.desc columnFactors = new memory.desc(new long[] {out}, data_type.f32, format_tag.a);
            post_ops behind = new post_ops();
            behind.append_binary(algorithm.binary_mul, rowFactors);
            if (sum) {
                behind.append_sum();
            }
            primitive_attr attributes = CompiledPrimitive.attributes();
            attributes.set_post_ops(behind);
            if (columns) {
                attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 1 << 2);
            }
            matmul.primitive_desc product = product(x, matrix, null, y, attributes);
            return new CompiledPrimitive(
                    new matmul(product),
                    product.scratchpad_desc(),
                    new CompiledPrimitive.Argument(DNNL_ARG_SRC, x),
                    new CompiledPrimitive.Argument(DNNL_ARG_WEIGHTS, matrix),
                    new CompiledPrimitive.Argument(DNNL_ARG_DST, y),
                    new CompiledPrimitive.Argument(DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1, rowFactors),
                    columns
                            ? new CompiledPrimitive.Argument(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, columnFactors)
                            : null);
        }
    }

    /** W put in the order in which products read it. */
    private record PackingShape(WeightShape matrix, int threads) implements CompiledPrimitive.PrimitiveShape {
        @Override
        public CompiledPrimitive create() {
            memory.desc plain = new memory.desc(new long[] {matrix.in, matrix.out}, matrix.values(), format_tag.ba);
            return CompiledPrimitive.reordering(plain, matrix.order());
        }
    }

    private static long bytes(MatrixLayout matrix, data_type type) {
        boolean known = matrix.rows() != ANY && matrix.columns() != ANY;
        return known
                ? matrix.extent() * (type == data_type.f32 ? Float.BYTES : Short.BYTES)
                : CompiledPrimitive.Argument.UNKNOWN;
    }

    private static memory.desc desc(MatrixLayout matrix, data_type type) {
        return matrix.count() == 0
                ? new memory.desc(new long[] {matrix.rows(), matrix.columns()}, type, new long[] {
                    matrix.rowStride(), matrix.columnStride()
                })
                : new memory.desc(new long[] {matrix.count(), matrix.rows(), matrix.columns()}, type, new long[] {
                    matrix.batchStride(), matrix.rowStride(), matrix.columnStride()
                });
    }

    private static matmul.primitive_desc product(
            memory.desc x, memory.desc matrix, memory.@Nullable desc bias, memory.desc y, primitive_attr attributes) {
        return bias == null
                ? new matmul.primitive_desc(CPU, x, matrix, y, attributes, false)
                : new matmul.primitive_desc(CPU, x, matrix, bias, y, attributes, false);
    }

    /** Returns the bytes of W {@code [out, in]} in the order that products read. */
    public static Tensor packed(WeightShape matrix, Tensor w) {
        Tensor bytes = Tensors.empty(ScalarType.Byte, matrix.order().get_size());
        try (Scope scope = new Scope()) {
            SERVING_CACHE.run(new PackingShape(matrix, Natives.threads()), w.contiguous(), bytes);
        }
        return bytes;
    }

    /**
     * {@code sum + x Wᵀ + b}, rounded once; all of the matrix's type.
     *
     * @param x {@code [..., in]}; with AMX each text of {@code [texts, tokens, in]} is multiplied alone, so its result doesn't depend on the
     *     others
     * @param packed W as {@link #packed} returns it
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [..., out]}, or null for nothing
     */
    public static Tensor linear(
            WeightShape matrix, Tensor packed, Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
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
        boolean apart = Cpu.hasAmx() && x.dim() == 3 && x.size(0) > 1 && x.size(1) > 1;
        try (Scope scope = new Scope()) {
            if (apart) {
                for (long text = 0; text < x.size(0); text++) {
                    Tensor added = sum == null ? null : sum.select(0, text);
                    multiply(matrix, packed, x.select(0, text), bias, added, y.select(0, text));
                }
            } else {
                multiply(matrix, packed, x, bias, sum, y);
            }
        }
        return y;
    }

    private static void multiply(
            WeightShape matrix, Tensor packed, Tensor x, @Nullable Tensor bias, @Nullable Tensor sum, Tensor y) {
        LinearShape layer =
                new LinearShape(matrix, x.numel() / matrix.in, bias != null, sum != null, Natives.threads());
        SERVING_CACHE.run(layer, x.contiguous(), packed, y, whole(bias), whole(sum));
    }

    /** Multiplies bf16 matrices a {@code [n, rows, in]} and b {@code [n, in, out]} of a served step. */
    public static Tensor batched(Tensor a, Tensor b) {
        return products(SERVING_CACHE, a, b);
    }

    /** Multiplies bf16 matrices of a training step, shapes as in {@link #batched}. */
    public static Tensor products(Tensor a, Tensor b) {
        return products(TRAINING_CACHE, a, b);
    }

    private static Tensor products(CompiledPrimitive.LruCache cache, Tensor a, Tensor b) {
        MatrixLayout.require(a, b, a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0));
        Tensor y = Tensors.empty(ScalarType.BFloat16, a.size(0), a.size(1), b.size(2));
        multiply(cache, a, b, null, false, y);
        return y;
    }

    /**
     * Computes {@code sum + a b + bias} of a training step, rounded once. All are bf16; a sum may be fp32, which isn't rounded.
     *
     * @param a {@code [rows, in]}
     * @param b {@code [in, out]}
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [rows, out]}, added to in place; null for a new result
     */
    public static Tensor product(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        boolean biasFits = bias == null || MatrixLayout.isBf16(bias) && bias.numel() == b.size(-1);
        boolean sumFits = sum == null || sum.size(0) == a.size(0) && sum.size(1) == b.size(-1);
        MatrixLayout.require(a, b, a.dim() == 2 && b.dim() == 2 && biasFits && sumFits);
        Tensor y = sum == null ? Tensors.empty(ScalarType.BFloat16, a.size(0), b.size(1)) : sum;
        multiply(TRAINING_CACHE, a, b, bias, sum != null, y);
        return y;
    }

    /** Returns whether {@link #product} can add to the tensor: its rows are contiguous. */
    public static boolean canAddTo(Tensor sum) {
        return MatrixLayout.of(sum).isRowMajor();
    }

    private static void multiply(
            CompiledPrimitive.LruCache cache, Tensor a, Tensor b, @Nullable Tensor bias, boolean sum, Tensor y) {
        try (Scope scope = new Scope()) {
            Tensor left = MatrixLayout.of(a).isDense() ? a : a.contiguous();
            Tensor right = MatrixLayout.of(b).isDense() ? b : b.contiguous();
            ProductShape whole = new ProductShape(
                    MatrixLayout.of(left),
                    MatrixLayout.of(right),
                    MatrixLayout.of(y),
                    values(y.scalar_type()),
                    bias != null,
                    sum,
                    Natives.threads());
            cache.run(whole, left, right, y, whole(bias));
        }
    }

    /**
     * Returns x's rows times a factor each, rounded to the nearest integers of -128 to 127.
     *
     * @param x bf16 or fp32 {@code [n, m]}
     * @param factors fp32 {@code [n, 1]}
     */
    public static Tensor rounded(Tensor x, Tensor factors) {
        Tensor y = Tensors.empty(ScalarType.Char, x.size(0), x.size(1));
        if (x.size(0) > 0) {
            RoundingShape shape = new RoundingShape(values(x.scalar_type()), x.size(0), x.size(1), Natives.threads());
            TRAINING_CACHE.run(shape, x.contiguous(), factors, y);
        }
        return y;
    }

    /**
     * {@code y + rowFactors x W columnFactors}, in place, rounded once.
     *
     * @param x int8 {@code [n, in]}
     * @param w int8 {@code [in, out]}
     * @param rowFactors fp32 {@code [n, 1]}
     * @param columnFactors fp32 {@code [out]}, or null for ones
     * @param y bf16 or fp32 {@code [n, out]}, contiguous
     * @param sum whether the result is added to y; else it replaces y
     */
    public static void int8(
            Tensor x, Tensor w, Tensor rowFactors, @Nullable Tensor columnFactors, Tensor y, boolean sum) {
        if (x.size(0) > 0) {
            boolean columns = columnFactors != null;
            Int8Shape shape = new Int8Shape(
                    values(y.scalar_type()), x.size(0), x.size(1), w.size(1), columns, sum, Natives.threads());
            TRAINING_CACHE.run(shape, x, w, y, rowFactors, columnFactors);
        }
    }

    private static @Nullable Tensor whole(@Nullable Tensor tensor) {
        return tensor == null ? null : tensor.contiguous();
    }

    static data_type values(ScalarType type) {
        if (type.value == ScalarType.BFloat16.value) {
            return data_type.bf16;
        }
        if (type.value == ScalarType.Float.value) {
            return data_type.f32;
        }
        throw new IllegalArgumentException(type + " is neither bf16 nor fp32");
    }
}
