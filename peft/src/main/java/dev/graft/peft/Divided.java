package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Pass;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/**
 * Several selections of bottlenecks one after the other along a text: AdapterHub's {@code Split}.
 *
 * @param members their stacks
 * @param lengths for each of them, on how many positions it acts
 */
record Divided(List<Stack> members, List<Integer> lengths) implements Several {
    Divided {
        members = List.copyOf(members);
        lengths = List.copyOf(lengths);
    }

    @Override
    public List<Effect> effects(Site site) {
        if (!actOn(site)) {
            return List.of();
        }
        if (site instanceof Block) {
            return List.of(new Parts(this, site));
        }
        throw new InputException(
                site.name() + ": only what acts on blocks' outputs can be split by positions, as bottlenecks"
                        + " do; choose these adapters by rows or put one behind the other");
    }

    private record Parts(Divided of, Site site) implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, Pass pass) {
            int sum = of.lengths.stream().mapToInt(Integer::intValue).sum();
            if (pass.context().continues() || output.size(1) != sum) {
                throw new InputException("a split into " + of.lengths + " positions acts on texts of " + sum
                        + " that are read at once, these have " + output.size(1)
                        + (pass.context().continues() ? " more behind those in a cache" : ""));
            }
            Tensor[] parts = new Tensor[of.lengths.size()];
            long from = 0;
            for (int i = 0; i < parts.length; i++) {
                long length = of.lengths.get(i);
                Tensor own = residual.narrow(1, from, length);
                parts[i] = of.members
                        .get(i)
                        .each(
                                site,
                                Effect.Bottleneck.class,
                                output.narrow(1, from, length),
                                (effect, h) -> effect.apply(own, h, norm, pass));
                from += length;
            }
            return Ops.cat(1, parts);
        }
    }
}
