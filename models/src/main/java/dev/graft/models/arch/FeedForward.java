package dev.graft.models.arch;

import dev.graft.models.Activation;
import dev.graft.models.Pass;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** What a decoder's layer does with each position on its own: a gated block, or a mixture of them. */
sealed interface FeedForward permits FeedForward.Gated, Mixture {
    /** The block's answer for x {@code [batch, seq, hidden]}. */
    Tensor apply(Tensor x, Pass pass);

    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /**
     * {@code down(activation(gate(x)) ⊙ up(x))} (Shazeer, 2020).
     *
     * @param in gate and up, or one layer that gives both
     */
    record Gated(List<Linear> in, Linear down, Activation activation) implements FeedForward {
        @Override
        public Tensor apply(Tensor x, Pass pass) {
            Tensor first = pass.linear(in.get(0), x);
            Tensor[] gateUp = in.size() == 1
                    ? pass.split(first, down.in(), down.in())
                    : new Tensor[] {first, pass.linear(in.get(1), x)};
            return pass.linear(down, pass.gated(activation, gateUp[0], gateUp[1]));
        }

        @Override
        public List<Site> sites() {
            List<Site> sites = new ArrayList<>(in);
            sites.add(down);
            return sites;
        }
    }
}
