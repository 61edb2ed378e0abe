package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.tensor.Ops;
import java.util.Collection;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterHub's preparation of the input of a stack inside a split or an average. It adds the block's output to the residual and
 * normalises the sum. The stack's first bottleneck, which does the same itself, reads the result.
 */
record RepeatedResidualNorm(Collection<Site> sites) implements Method {
    @Override
    public Type type() {
        return Pfeiffer.DEFAULT.type();
    }

    @Override
    public void graft(Grafter grafter) {
        for (Site site : sites) {
            if (site instanceof Block) {
                grafter.add(site, new ResidualNorm());
            }
        }
    }

    private record ResidualNorm() implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
            return norm.apply(residual.add(Ops.to(output, residual.scalar_type())));
        }
    }

    @Override
    public void write(ObjectNode config, Base base) {}
}
