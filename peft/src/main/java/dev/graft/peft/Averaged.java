package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Several selections side by side at every site, {@code y = Σ wᵢ yᵢ}, where yᵢ is what the i-th gives for what all are given.
 *
 * @param members their stacks
 * @param weights wᵢ
 */
record Averaged(List<Stack> members, List<Double> weights) implements Several {
    Averaged {
        members = List.copyOf(members);
        weights = List.copyOf(weights);
    }

    @Override
    public List<Effect> effects(Site site) {
        if (!actOn(site)) {
            return List.of();
        }
        if (site instanceof Block) {
            return List.of(new Blocks(this, site));
        }
        if (site instanceof Layer || site instanceof Stream) {
            return List.of(new States(this, site));
        }
        if (site instanceof Projection || site instanceof Embedding) {
            return List.of(new Layers(this, site));
        }
        throw new InputException(site.name() + ": what these adapters do there can't be averaged;"
                + " choose them by rows or put one behind the other");
    }

    private Tensor sum(Function<Stack, Tensor> each) {
        Tensor sum = null;
        for (int i = 0; i < weights.size(); i++) {
            Tensor part = Ops.scale(each.apply(members.get(i)), weights.get(i));
            sum = sum == null ? part : sum.add(part);
        }
        if (sum == null) {
            throw new IllegalStateException("nothing to average");
        }
        return sum;
    }

    private record Blocks(Averaged of, Site site) implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, Pass pass) {
            return of.sum(stack -> stack.each(
                    site, Effect.Bottleneck.class, output, (effect, h) -> effect.apply(residual, h, norm, pass)));
        }
    }

    private record States(Averaged of, Site site) implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, Pass pass) {
            return of.sum(stack -> stack.each(
                    site, Effect.Intervene.class, hidden, (effect, h) -> effect.apply(h, mask, earlier, pass)));
        }
    }

    private record Layers(Averaged of, Site site) implements Effect.Reweight {
        /** A layer whose parameters are all that is known. */
        private record Plain(Tensor weight, @Nullable Tensor bias) implements Affine {
            @Override
            public Tensor apply(Tensor x, Pass pass) {
                throw new IllegalStateException("only its parameters are asked for");
            }
        }

        @Override
        public Tensor weight(Tensor weight) {
            return of.sum(stack -> stack.layer(site, new Plain(weight, null)).weight());
        }

        @Override
        public Tensor bias(Tensor bias) {
            Tensor weight = ((Affine) site).weight();
            return of.sum(stack -> {
                Tensor own = stack.layer(site, new Plain(weight, bias)).bias();
                return own == null ? bias : own;
            });
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, Pass pass) {
            return of.sum(stack -> stack.layer(site, inner).apply(x, pass));
        }
    }
}
