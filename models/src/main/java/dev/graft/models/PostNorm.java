package dev.graft.models;

import dev.graft.models.sites.Block;
import dev.graft.models.sites.Norm;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profile;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What ends a block of post-norm models: {@code norm(residual + dropout(output))}. Where nothing acts on the block or its norm the gradient
 * is by formula: the sum is kept, the dropout's mask drawn again.
 */
public final class PostNorm {
    private PostNorm() {}

    /** The residual stream after a block, in the residual's type. */
    public static Tensor add(Block block, Norm norm, Tensor residual, Tensor output, double dropout, Pass pass) {
        Tape tape = pass.tape();
        boolean learns = residual.requires_grad() || output.requires_grad();
        if (tape == null
                || !learns
                || !pass.hooks().isFrozen(block)
                || !pass.hooks().isFrozen(norm)) {
            return pass.piece(() -> {
                Tensor dropped = Ops.dropout(Ops.to(output, residual.scalar_type()), dropout, pass.isTraining());
                Tensor adapted = pass.hooks().block(block, residual, dropped, pass);
                return new Tensor[] {pass.hooks().norm(norm, residual.add(adapted), pass)};
            })[0];
        }
        double p = pass.isTraining() && !Dropout.isOff() ? dropout : 0;
        long drawn = Dropout.state();
        Profile.at(norm.layer(), () -> "residual, norm");
        return tape.run(
                () -> {
                    ScalarType type = residual.scalar_type();
                    Tensor sum = Ops.to(output, type);
                    sum = p > 0
                            ? sum.mul(Dropout.mask(type, p, Tensors.shape(sum))).add_(residual)
                            : sum.add(residual);
                    Tensor[] normed = Ops.layerNormWithStatistics(sum, norm.weight(), norm.bias(), norm.eps());
                    return new Tensor[] {normed[0], sum, normed[1], normed[2]};
                },
                (gradient, kept) -> backward(norm, residual, output, p, drawn, kept, gradient));
    }

    private static void backward(
            Norm norm, Tensor residual, Tensor output, double p, long drawn, List<Tensor> kept, Tensor gradient) {
        Tensor dsum =
                Ops.layerNormBackward(gradient, kept.get(0), norm.weight(), norm.bias(), kept.get(1), kept.get(2));
        if (residual.requires_grad()) {
            Tape.accumulate(residual, dsum);
        }
        if (output.requires_grad()) {
            ScalarType type = dsum.scalar_type();
            Tensor passed = p > 0
                    ? dsum.mul(Dropout.again(drawn, type, p, Tensors.shape(dsum)))
                    : type.value == output.scalar_type().value ? dsum.clone() : dsum;
            Tape.accumulate(output, passed);
        }
    }
}
