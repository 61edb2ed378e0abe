package dev.graft.models.arch;

import dev.graft.models.Attend;
import dev.graft.models.AttentionMask;
import dev.graft.models.Pass;
import dev.graft.models.Recurrence;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The block of a layer of {@link NemotronH}. */
sealed interface NemotronMixer {
    /** What the blocks of a pass read by. */
    record Reading(AttentionMask mask, Recurrence recurrence, ScalarType base) {}

    /** Its answer for the residual stream h {@code [batch, seq, hidden]}. */
    Tensor apply(Norm norm, Tensor h, Reading reading, Pass pass);

    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** Linear layers that are given the same input. */
    default List<Linear> siblings() {
        return List.of();
    }

    /** Mamba-2, its output times the gate. */
    record Scan(String name, Linear in, Mamba2 mamba, Tensor norm, double eps, Linear out) implements NemotronMixer {
        @Override
        public Tensor apply(Norm before, Tensor h, Reading reading, Pass pass) {
            Mamba2.Shape shape = mamba.shape();
            Tensor[] parts = pass.split(
                    pass.linears(before, h, reading.base, in)[0],
                    shape.inner(),
                    (long) shape.channels() + shape.heads());
            Tensor y = reading.recurrence.read(name, mamba, parts[1]);
            Tensor gated = pass.piece(() -> new Tensor[] {Ops.to(gated(y, parts[0]), reading.base)})[0];
            return pass.linear(out, gated);
        }

        /** Times the gate, each group of heads normalised. */
        private Tensor gated(Tensor y, Tensor gate) {
            int groups = mamba.shape().groups();
            Tensor x = y.mul(torch.silu(Ops.to(gate, y.scalar_type()))).unflatten(-1, groups, y.size(2) / groups);
            Tensor size = Ops.plus(Ops.mean(x.square(), -1, true), eps).rsqrt();
            return x.mul(size).flatten(-2, -1).mul(norm);
        }

        @Override
        public List<Site> sites() {
            return List.of(in, out);
        }
    }

    /** Attention without positions. */
    record Attending(Attention attention, int heads, List<Linear> projections, Linear output, double dropout)
            implements NemotronMixer {
        @Override
        public Tensor apply(Norm before, Tensor h, Reading reading, Pass pass) {
            Tensor[] qkv = pass.linears(before, h, reading.base, projections.toArray(Linear[]::new));
            Tensor attended = Attend.attend(
                    attention,
                    pass.heads(qkv[0], heads, null),
                    pass.heads(qkv[1], attention.heads(), null),
                    pass.heads(qkv[2], attention.heads(), null),
                    reading.mask,
                    dropout,
                    pass);
            return pass.linear(output, attended);
        }

        @Override
        public List<Site> sites() {
            List<Site> sites = new ArrayList<>(projections);
            sites.addAll(List.of(attention, output));
            return sites;
        }

        @Override
        public List<Linear> siblings() {
            return projections;
        }
    }

    /** A feed-forward block. */
    record Forward(FeedForward feedForward) implements NemotronMixer {
        @Override
        public Tensor apply(Norm before, Tensor h, Reading reading, Pass pass) {
            return feedForward.apply(before, h, reading.base, pass);
        }

        @Override
        public List<Site> sites() {
            return feedForward.sites();
        }
    }
}
