package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.PassView;
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
 * A weighted sum of several selections at every site, {@code y = Σ wᵢ yᵢ}, where yᵢ is the i-th selection's output for the common input.
 *
 * @param members their stacks
 * @param weights wᵢ
 */
record AverageComposition(List<AdapterStack> members, List<Double> weights) implements Composition {
    AverageComposition {
        members = List.copyOf(members);
        weights = List.copyOf(weights);
    }

    @Override
    public List<Effect> effects(Site site) {
        if (members.stream().noneMatch(stack -> stack.actsOn(site))) {
            return List.of();
        }
        if (site instanceof Block) {
            return List.of(new BlockAverage(this, site));
        }
        if (site instanceof Layer || site instanceof Stream) {
            return List.of(new StateAverage(this, site));
        }
        if (site instanceof Projection || site instanceof Embedding) {
            return List.of(new LayerAverage(this, site));
        }
        throw new InputException(site.name() + ": what these adapters do there can't be averaged;"
                + " choose them by rows or put one behind the other");
    }

    @Override
    public List<LookAhead> lookAheads() {
        return members.stream().flatMap(stack -> stack.lookAheads().stream()).toList();
    }

    private Tensor weightedSum(Function<AdapterStack, Tensor> each) {
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

    private record BlockAverage(AverageComposition composition, Site site) implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
            return composition.weightedSum(stack -> stack.applyEffects(
                    site, Effect.Bottleneck.class, output, (effect, h) -> effect.apply(residual, h, norm, pass)));
        }
    }

    private record StateAverage(AverageComposition composition, Site site) implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, PassView pass) {
            return composition.weightedSum(stack -> stack.applyEffects(
                    site, Effect.Intervene.class, hidden, (effect, h) -> effect.apply(h, mask, earlier, pass)));
        }
    }

    private record LayerAverage(AverageComposition composition, Site site) implements Effect.Reweight {
        /** A layer whose parameters are all that is known. */
        private record ParametersOnly(
                Tensor weight, @Nullable Tensor bias) implements Affine {
            @Override
            public Tensor apply(Tensor x, PassView pass) {
                throw new IllegalStateException("only its parameters are asked for");
            }
        }

        @Override
        public Tensor weight(Tensor weight) {
            return composition.weightedSum(
                    stack -> stack.layer(site, new ParametersOnly(weight, null)).weight());
        }

        @Override
        public Tensor bias(Tensor bias) {
            Tensor weight = ((Affine) site).weight();
            return composition.weightedSum(stack -> {
                Tensor own = stack.layer(site, new ParametersOnly(weight, bias)).bias();
                return own == null ? bias : own;
            });
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            return composition.weightedSum(stack -> stack.layer(site, inner).apply(x, pass));
        }
    }
}
