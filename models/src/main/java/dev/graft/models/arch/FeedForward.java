package dev.graft.models.arch;

import dev.graft.models.Activation;
import dev.graft.models.Pass;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** What a decoder's layer does with each position on its own: a plain block, a gated one, or a mixture of those. */
sealed interface FeedForward permits FeedForward.Plain, FeedForward.Gated, Mixture {
    /**
     * The block's answer for the residual stream h {@code [batch, seq, hidden]}.
     *
     * @param norm before the block, or null
     * @param base the type of the frozen matrices
     */
    Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, Pass pass);

    /** The residual stream h with that answer, or its dropout. */
    default Tensor add(Block site, @Nullable Norm norm, Tensor h, ScalarType base, double dropout, Pass pass) {
        return pass.add(site, h, pass.dropout(apply(norm, h, base, pass), dropout));
    }

    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** Linear layers of its own that are given the same input. */
    default List<Linear> siblings() {
        return List.of();
    }

    /** {@code down(activation(up(x)))}. */
    record Plain(Linear up, Linear down, Activation activation) implements FeedForward {
        @Override
        public Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, Pass pass) {
            return pass.down(down, activation, pass.linears(norm, h, base, up)[0], null);
        }

        @Override
        public List<Site> sites() {
            return List.of(up, down);
        }
    }

    /**
     * {@code down(activation(gate(x)) ⊙ up(x))} (Shazeer, 2020).
     *
     * @param in gate and up, or one layer that gives both
     */
    record Gated(List<Linear> in, Linear down, Activation activation) implements FeedForward {
        @Override
        public Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, Pass pass) {
            Tensor[] gateUp = gateUp(norm, h, base, pass);
            return pass.down(down, activation, gateUp[0], gateUp[1]);
        }

        @Override
        public Tensor add(Block site, @Nullable Norm norm, Tensor h, ScalarType base, double dropout, Pass pass) {
            Tensor[] gateUp = gateUp(norm, h, base, pass);
            return pass.add(site, h, down, activation, gateUp[0], gateUp[1], dropout);
        }

        private Tensor[] gateUp(@Nullable Norm norm, Tensor h, ScalarType base, Pass pass) {
            Tensor[] projected = pass.linears(norm, h, base, in.toArray(Linear[]::new));
            return in.size() == 1 ? pass.split(projected[0], down.in(), down.in()) : projected;
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
