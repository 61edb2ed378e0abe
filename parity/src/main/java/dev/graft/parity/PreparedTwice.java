package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.Pfeiffer;
import dev.graft.tensor.Ops;
import java.util.Collection;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * What AdapterHub does to the input of a stack inside a split or an average: the block's output is added to the residual and normalised, and
 * the stack's first bottleneck, which does that itself, is given the result.
 */
record PreparedTwice(Collection<Site> sites) implements Method {
    @Override
    public Type type() {
        return Pfeiffer.DEFAULT.type();
    }

    @Override
    public void graft(Grafter grafter) {
        for (Site site : sites) {
            if (site instanceof Block) {
                grafter.add(site, new Preparation());
            }
        }
    }

    private record Preparation() implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, Pass pass) {
            return norm.apply(residual.add(Ops.to(output, residual.scalar_type())));
        }
    }

    @Override
    public void write(ObjectNode config, Base base) {}
}
