package dev.graft.models.arch;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.functions.Activation;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The feed-forward block of a decoder's layer, which maps each position on its own: a plain block, a gated one, or a
 * mixture of those.
 */
sealed interface FeedForward permits FeedForward.Plain, FeedForward.Gated, MixtureOfExperts {
    /**
     * Returns the block's output for the residual stream h {@code [batch, seq, hidden]}.
     *
     * @param norm the norm before the block, or null
     * @param base the type of the frozen matrices
     */
    Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, ForwardPass pass);

    /** Adds that output, with dropout, to the residual stream h. */
    default Tensor add(Block site, @Nullable Norm norm, Tensor h, ScalarType base, double dropout, ForwardPass pass) {
        return LayerOps.add(pass, site, h, LayerOps.dropout(pass, apply(norm, h, base, pass), dropout));
    }

    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** Returns its own linear layers that share an input. */
    default List<Linear> siblings() {
        return List.of();
    }

    /** {@code down(activation(up(x)))}. */
    record Plain(Linear up, Linear down, Activation activation) implements FeedForward {
        @Override
        public Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, ForwardPass pass) {
            return LayerOps.downProjection(pass, down, activation, LayerOps.linears(pass, norm, h, base, up)[0], null);
        }

        @Override
        public List<Site> sites() {
            return List.of(up, down);
        }
    }

    /**
     * {@code down(activation(gate(x)) ⊙ up(x))} (Shazeer, 2020).
     *
     * @param in gate and up, or one layer that computes both
     */
    record Gated(List<Linear> in, Linear down, Activation activation) implements FeedForward {
        @Override
        public Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, ForwardPass pass) {
            Tensor[] gateUp = gateUp(norm, h, base, pass);
            return LayerOps.downProjection(pass, down, activation, gateUp[0], gateUp[1]);
        }

        @Override
        public Tensor add(
                Block site, @Nullable Norm norm, Tensor h, ScalarType base, double dropout, ForwardPass pass) {
            Tensor[] gateUp = gateUp(norm, h, base, pass);
            return LayerOps.add(pass, site, h, down, activation, gateUp[0], gateUp[1], dropout);
        }

        private Tensor[] gateUp(@Nullable Norm norm, Tensor h, ScalarType base, ForwardPass pass) {
            Tensor[] projected = LayerOps.linears(pass, norm, h, base, in.toArray(Linear[]::new));
            return in.size() == 1 ? LayerOps.split(pass, projected[0], down.in(), down.in()) : projected;
        }

        @Override
        public List<Linear> siblings() {
            return in;
        }

        @Override
        public List<Site> sites() {
            List<Site> sites = new ArrayList<>(in);
            sites.add(down);
            return sites;
        }
    }
}
