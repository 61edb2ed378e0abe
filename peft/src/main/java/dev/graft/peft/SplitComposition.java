package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/**
 * Several selections of bottlenecks for consecutive parts of a text: AdapterHub's {@code Split}.
 *
 * @param members their stacks
 * @param lengths the number of positions of each
 */
record SplitComposition(List<AdapterStack> members, List<Integer> lengths) implements Composition {
    SplitComposition {
        members = List.copyOf(members);
        lengths = List.copyOf(lengths);
    }

    @Override
    public List<Effect> effects(Site site) {
        if (members.stream().noneMatch(stack -> stack.actsOn(site))) {
            return List.of();
        }
        if (site instanceof Block) {
            return List.of(new BlockSplit(this, site));
        }
        throw new InputException(
                site.name() + ": only what acts on blocks' outputs can be split by positions, as bottlenecks"
                        + " do; choose these adapters by rows or put one behind the other");
    }

    @Override
    public List<LookAhead> lookAheads() {
        return members.stream().flatMap(stack -> stack.lookAheads().stream()).toList();
    }

    private record BlockSplit(SplitComposition composition, Site site) implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
            int sum = composition.lengths.stream().mapToInt(Integer::intValue).sum();
            if (pass.isContinuation() || output.size(1) != sum) {
                throw new InputException("a split into " + composition.lengths + " positions acts on texts of " + sum
                        + " that are read at once, these have " + output.size(1)
                        + (pass.isContinuation() ? " more behind those in a cache" : ""));
            }
            Tensor[] parts = new Tensor[composition.lengths.size()];
            long from = 0;
            for (int i = 0; i < parts.length; i++) {
                long length = composition.lengths.get(i);
                Tensor own = residual.narrow(1, from, length);
                parts[i] = composition
                        .members
                        .get(i)
                        .applyEffects(
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
