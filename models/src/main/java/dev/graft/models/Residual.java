package dev.graft.models;

import dev.graft.models.sites.Block;
import dev.graft.tensor.Fused;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Profile;
import dev.graft.tensor.Tape;
import org.bytedeco.pytorch.Tensor;

/** What ends a block of pre-norm models: {@code h + output}. Where nothing acts on the block the gradient is by formula. */
final class Residual {
    private Residual() {}

    /** @param past whether the gradient goes past the block, along h {@code [batch, seq, hidden]} alone */
    static Tensor add(Block site, Tensor h, Tensor output, boolean past, Pass pass) {
        Tape tape = pass.tape();
        Tape.Forward forward = () -> new Tensor[] {h.add(pass.hooks().block(site, h, output, pass))};
        if (tape == null) {
            boolean alone = pass.hooks().isFrozen(site) && !h.requires_grad() && !output.requires_grad();
            return alone ? Fused.add(h, output) : forward.run()[0];
        }
        Profile.at(site.layer(), () -> "residual");
        if (past) {
            return past(tape, h, forward, pass);
        }
        if (!pass.hooks().isFrozen(site) || !h.requires_grad() || !output.requires_grad()) {
            return tape.run(forward)[0];
        }
        boolean same = output.scalar_type().value == h.scalar_type().value;
        Tensor sum = tape.run(() -> new Tensor[] {Fused.add(h, output)}, (gradient, kept) -> {
            Tape.accumulate(output, same ? gradient.clone() : gradient);
            Tape.accumulate(h, gradient);
        });
        Tape.forget(output);
        return sum;
    }

    private static Tensor past(Tape tape, Tensor h, Tape.Forward forward, Pass pass) {
        Tape.Forward ungraphed = () -> {
            try (NoGrad off = new NoGrad()) {
                return forward.run();
            }
        };
        return h.requires_grad()
                ? tape.run(ungraphed, (gradient, kept) -> Tape.accumulate(h, gradient))
                : pass.piece(ungraphed)[0];
    }
}
