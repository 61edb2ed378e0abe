package dev.graft.peft.inits;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.quantized.Codebook;
import dev.graft.formats.quantized.Int8Rows;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.peft.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoftQ (Li et al., 2023): B A compensates for the base's quantisation error, {@code s · B A = SVD_r(W - Q)}.
 *
 * <p>On a quantised base, Q is the quantised weight and one iteration is enough. On an unquantised base, Q is computed here by Algorithm 1, which
 * alternates {@code Q = q(W - s · B A)} and B A of the remainder. Then Q replaces the base's weight, as in PEFT. PEFT omits s, which is the same
 * if alpha equals r.
 *
 * @param bits 4 for NF4 in blocks of 64, 8 for rows of int8
 */
public record Loftq(int bits, int iterations) implements LoraInit {
    /** Four bits, once. */
    public static final Loftq DEFAULT = new Loftq(4, 1);

    static Loftq read(@Nullable Fields f) {
        if (f == null) {
            return DEFAULT;
        }
        int bits = f.integer("loftq_bits", 4);
        if (bits != 4 && bits != 8) {
            throw f.invalid("loftq_bits", "4 or 8");
        }
        return new Loftq(bits, f.integer("loftq_iter", 1, 1, 100));
    }

    @Override
    public String name() {
        return "loftq";
    }

    @Override
    public void write(ObjectNode config) {
        config.putObject("loftq_config").put("loftq_bits", bits).put("loftq_iter", iterations);
    }

    @Override
    public Factors factors(InitContext context) {
        context.requireRank(name(), context.rank());
        Tensor weight = context.original();
        Tensor rounded = context.site().matrix() instanceof QuantizedMatrix matrix
                ? kept(context, matrix)
                : rounded(context, weight);
        return residual(context, weight, rounded).factors(context.scaling());
    }

    /** Returns Q {@code [out, in]} for an unquantised base. */
    public Tensor rounded(InitContext context) {
        return rounded(context, context.original());
    }

    private Tensor rounded(InitContext context, Tensor weight) {
        Tensor rounded = quantise(weight);
        for (int i = 1; i < iterations; i++) {
            Factors found = residual(context, weight, rounded).factors(1);
            rounded = quantise(weight.sub(found.b().matmul(found.a())));
        }
        return rounded;
    }

    private static Svd residual(InitContext context, Tensor weight, Tensor rounded) {
        return Svd.of(weight.sub(rounded)).narrow(0, context.rank());
    }

    private Tensor quantise(Tensor weight) {
        float[] values = Tensors.floats(weight);
        float[] rounded;
        if (bits == 8) {
            rounded = Int8Rows.quantize(values, Math.toIntExact(weight.size(1))).dequantize();
        } else {
            Codebook.Blocks blocks = Codebook.NF4.quantize(values, 64);
            rounded = Codebook.NF4.dequantize(blocks.codes(), blocks.absmax(), 64);
        }
        return Ops.to(Tensors.of(rounded, Tensors.shape(weight)), weight.scalar_type());
    }

    private Tensor kept(InitContext context, QuantizedMatrix matrix) {
        Set<String> kinds = bits == 4 ? Set.of("nf4", "fp4") : Set.of("int8");
        if (!kinds.contains(matrix.kind()) || iterations > 1) {
            throw new InputException("loftq_config asks for " + bits + " bits and " + iterations + " iterations, but "
                    + context.site().name() + " is kept in " + matrix.kind()
                    + ", which more iterations would change; take loftq_bits 4 with nf4 or fp4, 8 with int8, and"
                    + " loftq_iter 1, or load the base with quantization none");
        }
        return Ops.to(matrix.values(), ScalarType.Float);
    }
}
