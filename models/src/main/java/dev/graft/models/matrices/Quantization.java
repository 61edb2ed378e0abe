package dev.graft.models.matrices;

import dev.graft.formats.quantized.Codebook;
import dev.graft.tensor.Scope;
import java.util.Locale;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** In what the matrices of a frozen base's linear layers are kept; those of heads, embeddings and norms stay whole. */
public enum Quantization {
    /** Whole, also where the checkpoint has them quantised. */
    NONE,
    /** As the checkpoint has them. */
    KEEP,
    /** Four bits, levels of a normal distribution; scales of blocks of 64 in eight bits. 4.13 bits a value. */
    NF4,
    /** Four bits, floating point; scales as with {@link #NF4}. */
    FP4,
    /** Eight bits and a scale for each row. */
    INT8,
    /** Four bits, and a scale and a bias for each group of 32 in a row. 6 bits a value. */
    INT4;

    /** The kind of that name, in lower case. */
    public static Quantization of(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }

    /** As options name it. */
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether whole matrices are quantised as they are read. */
    public boolean quantizes() {
        return this != NONE && this != KEEP;
    }

    /** A matrix {@code [rows, columns]} in this kind, for products in that type. Lives as long as something refers to it. */
    public Quantized quantize(Tensor values, ScalarType type) {
        return kept(() -> switch (this) {
            case NF4 -> FourBit.of(title(), Codebook.NF4, values, type);
            case FP4 -> FourBit.of(title(), Codebook.FP4, values, type);
            case INT8 -> EightBit.of(values, type);
            case INT4 -> Grouped.of(values, type, Grouped.GROUP);
            case NONE, KEEP -> throw new IllegalStateException(title() + " is no kind of quantisation");
        });
    }

    /** A matrix that lives as long as something refers to it. */
    static Quantized kept(Supplier<Quantized> made) {
        try (Scope scope = new Scope()) {
            Quantized matrix = made.get();
            matrix.parts().forEach(scope::release);
            return matrix;
        }
    }
}
