package dev.graft.models.layers;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Block;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.Tape;
import org.bytedeco.pytorch.Tensor;

/**
 * The end of a block of pre-norm models: {@code h + output}. If no hook applies to the block, the gradient is by formula.
 */
final class Residual {
    private Residual() {}

    /**
     * Returns the residual stream after a block.
     *
     * @param past whether the gradient bypasses the block, along h {@code [batch, seq, hidden]} alone
     */
    static Tensor add(Block site, Tensor h, Tensor output, boolean past, ForwardPass pass) {
        Tape tape = pass.tape();
        Tape.ForwardFunction forward = () -> new Tensor[] {h.add(pass.hooks().block(site, h, output, pass))};
        if (tape == null) {
            boolean alone = pass.hooks().isFrozen(site) && !h.requires_grad() && !output.requires_grad();
            return alone ? FusedOps.add(h, output) : forward.run()[0];
        }
        Profiler.enter(site.layer(), () -> "residual");
        if (past) {
            return past(tape, h, forward, pass);
        }
        if (!pass.hooks().isFrozen(site) || !h.requires_grad() || !output.requires_grad()) {
            return tape.run(forward)[0];
        }
        boolean same = output.scalar_type().value == h.scalar_type().value;
        Tensor sum = tape.run(() -> new Tensor[] {FusedOps.add(h, output)}, (gradient, kept) -> {
            Tape.accumulate(output, same ? gradient.clone() : gradient);
            Tape.accumulate(h, gradient);
        });
        Tape.freeValues(output);
        return sum;
    }

    private static Tensor past(Tape tape, Tensor h, Tape.ForwardFunction forward, ForwardPass pass) {
        Tape.ForwardFunction ungraphed = () -> {
            try (NoGrad noGrad = new NoGrad()) {
                return forward.run();
            }
        };
        return h.requires_grad()
                ? tape.run(ungraphed, (gradient, kept) -> Tape.accumulate(h, gradient))
                : pass.segment(ungraphed)[0];
    }
}
