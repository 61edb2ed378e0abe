package dev.graft.models.sites;

import dev.graft.models.matrices.DenseMatrix;
import dev.graft.models.matrices.FusedMatrix;
import dev.graft.models.matrices.Matrix;
import dev.graft.models.matrices.QuantizedException;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear layer.
 *
 * @param matrix {@code [out, in]}
 * @param bias {@code [out]} or null
 * @param transposed whether checkpoints store the weight as {@code [in, out]}, as in GPT-2 (PEFT's {@code fan_in_fan_out})
 */
public record Linear(
        String name,
        Role role,
        int layer,
        Matrix matrix,
        @Nullable Tensor bias,
        boolean transposed) implements Projection, ManualGradient {
    /** Creates a layer whose weight is {@code [out, in]} in checkpoints too. */
    public Linear(String name, Role role, int layer, Tensor weight, @Nullable Tensor bias) {
        this(name, role, layer, new DenseMatrix(weight), bias, false);
    }

    @Override
    public long in() {
        return matrix.columns();
    }

    @Override
    public long out() {
        return matrix.rows();
    }

    /** Returns the values of the matrix, {@code [out, in]}; a new tensor if it is quantised. */
    @Override
    public Tensor weight() {
        return matrix.values();
    }

    /** The type of the values and of the products with them. */
    public ScalarType type() {
        return matrix.type();
    }

    /**
     * Returns the weight itself, for methods that train it whole.
     *
     * @throws QuantizedException if it is quantised
     */
    public Tensor wholeWeight() {
        if (matrix instanceof QuantizedMatrix quantized) {
            throw new QuantizedException(name + " is kept in " + quantized.kind()
                    + ", so its weight itself can't be trained; load the base with quantization none, or train a method"
                    + " beside it, such as lora");
        }
        return weight();
    }

    public boolean isQuantized() {
        return matrix instanceof QuantizedMatrix;
    }

    /** Returns the fused matrix of these layers, or null. */
    public static @Nullable FusedMatrix fused(List<Linear> sites) {
        return FusedMatrix.of(sites.stream().map(Linear::matrix).toList());
    }

    /** Converts another weight {@code [out, in]} to the layout of the checkpoint, or a stored one back. */
    public Tensor stored(Tensor newWeight) {
        return transposed ? newWeight.t() : newWeight;
    }

    @Override
    public Tensor apply(Tensor x, PassView pass) {
        return matrix.times(Ops.to(x, type()), bias);
    }

    @Override
    public Tensor addTo(Tensor sum, Tensor x, PassView pass) {
        return matrix.times(Ops.to(x, type()), bias, sum);
    }

    @Override
    public Tensor apply(Tensor x, Tensor newWeight, @Nullable Tensor newBias) {
        return Ops.linear(Ops.to(x, newWeight.scalar_type()), newWeight, newBias);
    }

    @Override
    public Tensor onFeatures(Tensor vector) {
        return vector.reshape(-1);
    }

    @Override
    public Tensor onRows(Tensor vector) {
        return vector.reshape(-1, 1);
    }

    @Override
    public Tensor onColumns(Tensor vector) {
        return vector.reshape(-1);
    }

    @Override
    public ManualGradient manualGradient() {
        return this;
    }

    @Override
    public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
        return List.of(matrix.forward(x, bias, sum));
    }

    @Override
    public @Nullable Tensor backward(
            Tensor x, Tensor gradient, List<Tensor> kept, boolean wanted, @Nullable Tensor sum) {
        return wanted ? matrix.backward(gradient, sum) : null;
    }

    @Override
    public int savedCount() {
        return 0;
    }

    @Override
    public boolean trains() {
        return false;
    }
}
