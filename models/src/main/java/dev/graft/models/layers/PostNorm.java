package dev.graft.models.layers;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Norm;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedNorm;
import dev.graft.tensor.ops.Tape;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The end of a block of post-norm models: {@code norm(residual + dropout(output))}. If no hook applies to the block or its norm, the gradient is
 * by formula. The sum is kept, and the dropout's mask is drawn again.
 */
public final class PostNorm {
    private PostNorm() {}

    /** Returns the residual stream after a block, {@code [batch, seq, hidden]}, in the residual's type. */
    public static Tensor add(Block block, Norm norm, Tensor residual, Tensor output, double dropout, ForwardPass pass) {
        Tape tape = pass.tape();
        boolean learns = residual.requires_grad() || output.requires_grad();
        boolean frozen = pass.hooks().isFrozen(block) && pass.hooks().isFrozen(norm);
        if (tape == null && frozen && !learns && !pass.isTraining()) {
            Tensor[] fused = FusedNorm.postNorm(residual, output, norm.weight(), norm.bias(), norm.eps(), null);
            if (fused != null) {
                return fused[0];
            }
        }
        if (tape == null || !learns || !frozen) {
            return pass.segment(() -> {
                Tensor dropped = Dropout.apply(Ops.to(output, residual.scalar_type()), dropout, pass.isTraining());
                Tensor adapted = pass.hooks().block(block, residual, dropped, pass);
                return new Tensor[] {pass.hooks().norm(norm, residual.add(adapted), pass)};
            })[0];
        }
        Dropout.Mask mask = pass.isTraining() ? Dropout.draw(dropout, output) : null;
        Profiler.enter(norm.layer(), () -> "residual, norm");
        return tape.run(
                () -> {
                    Tensor[] fused = FusedNorm.postNorm(residual, output, norm.weight(), norm.bias(), norm.eps(), mask);
                    if (fused != null) {
                        return fused;
                    }
                    Tensor whole = Ops.to(output, residual.scalar_type());
                    Tensor sum = (mask == null ? whole : mask.apply(whole)).add(residual);
                    Tensor[] normed = Ops.layerNormWithStatistics(sum, norm.weight(), norm.bias(), norm.eps());
                    return new Tensor[] {normed[0], sum, normed[1], normed[2]};
                },
                (gradient, kept) -> {
                    if (kept.size() == 1) {
                        fused(norm, residual, output, mask, kept.get(0), gradient);
                    } else {
                        backward(norm, residual, output, mask, kept, gradient);
                    }
                });
    }

    private static void fused(
            Norm norm, Tensor residual, Tensor output, Dropout.@Nullable Mask mask, Tensor sum, Tensor gradient) {
        Tensor so = residual.requires_grad() ? Tape.gradient(residual) : null;
        Tensor already = so != null && so.is_contiguous() ? so : null;
        Tensor fresh = residual.requires_grad() && already == null
                ? Tensors.empty(ScalarType.Float, Tensors.shape(sum))
                : null;
        Tensor doutput = output.requires_grad() ? Tensors.empty(output.scalar_type(), Tensors.shape(sum)) : null;
        FusedNorm.postNormBackward(
                sum,
                norm.weight(),
                norm.eps(),
                mask,
                gradient,
                already == null ? fresh : already,
                already != null,
                doutput);
        if (fresh != null) {
            Tape.accumulate(residual, fresh);
        }
        if (doutput != null) {
            Tape.accumulate(output, doutput);
        }
    }

    private static void backward(
            Norm norm,
            Tensor residual,
            Tensor output,
            Dropout.@Nullable Mask mask,
            List<Tensor> kept,
            Tensor gradient) {
        Tensor dsum =
                Ops.layerNormBackward(gradient, kept.get(0), norm.weight(), norm.bias(), kept.get(1), kept.get(2));
        if (residual.requires_grad()) {
            Tape.accumulate(residual, dsum);
        }
        if (output.requires_grad()) {
            boolean same = dsum.scalar_type().value == output.scalar_type().value;
            Tape.accumulate(output, mask != null ? mask.apply(dsum) : same ? dsum.clone() : dsum);
        }
    }
}
