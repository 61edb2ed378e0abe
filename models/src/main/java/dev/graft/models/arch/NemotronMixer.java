package dev.graft.models.arch;

import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.layers.Recurrence;
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
    /** The common inputs of the blocks in a pass. */
    record PassInputs(AttentionMask mask, Recurrence recurrence, ScalarType base) {}

    /** Returns its output for the residual stream h {@code [batch, seq, hidden]}. */
    Tensor apply(Norm norm, Tensor h, PassInputs inputs, ForwardPass pass);

    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** Returns linear layers that share an input. */
    default List<Linear> siblings() {
        return List.of();
    }

    /** Mamba-2, its output times the gate. */
    record MambaMixer(String name, Linear in, Mamba2 mamba, Tensor norm, double eps, Linear out)
            implements NemotronMixer {
        @Override
        public Tensor apply(Norm before, Tensor h, PassInputs inputs, ForwardPass pass) {
            Mamba2.Config shape = mamba.shape();
            Tensor[] parts = LayerOps.split(
                    pass,
                    LayerOps.linears(pass, before, h, inputs.base, in)[0],
                    shape.inner(),
                    (long) shape.channels() + shape.heads());
            Tensor y = inputs.recurrence.read(name, mamba, parts[1]);
            Tensor gated = pass.segment(() -> new Tensor[] {Ops.to(gated(y, parts[0]), inputs.base)})[0];
            return LayerOps.linear(pass, out, gated);
        }

        /** Multiplies the output by the gate and normalises each group of heads. */
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
    record AttentionMixer(Attention attention, int heads, List<Linear> projections, Linear output, double dropout)
            implements NemotronMixer {
        @Override
        public Tensor apply(Norm before, Tensor h, PassInputs inputs, ForwardPass pass) {
            Tensor[] qkv = LayerOps.linears(pass, before, h, inputs.base, projections.toArray(Linear[]::new));
            Tensor attended = ScaledDotProductAttention.attend(
                    attention,
                    LayerOps.splitHeads(pass, qkv[0], heads, null),
                    LayerOps.splitHeads(pass, qkv[1], attention.heads(), null),
                    LayerOps.splitHeads(pass, qkv[2], attention.heads(), null),
                    inputs.mask,
                    dropout,
                    pass);
            return LayerOps.linear(pass, output, attended);
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
    record FeedForwardMixer(FeedForward feedForward) implements NemotronMixer {
        @Override
        public Tensor apply(Norm before, Tensor h, PassInputs inputs, ForwardPass pass) {
            return feedForward.apply(before, h, inputs.base, pass);
        }

        @Override
        public List<Site> sites() {
            return feedForward.sites();
        }
    }
}
