package dev.graft.peft;

import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.LowRankFactors;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The low-rank updates of linear layers by a sequence of adapters, as contiguous factors in each layer's type.
 *
 * @param owned the tensors that belong to no adapter
 */
record BatchedLowRank(Map<Linear, LowRankFactors> factors, List<Tensor> owned) implements AutoCloseable {
    /** Returns the updates; null if the adapters have other effects too. */
    static @Nullable BatchedLowRank of(List<ActiveAdapter> stack) {
        Map<Linear, LayerUpdate> parts = new IdentityHashMap<>();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (ActiveAdapter active : stack) {
                for (Site site : active.adapter().sites()) {
                    for (Effect effect : active.effects(site)) {
                        LayerUpdate part = site instanceof Linear linear
                                ? LayerUpdate.of(effect, linear.type(), active.strength())
                                : null;
                        if (part == null) {
                            return null;
                        }
                        parts.merge((Linear) site, part, LayerUpdate::plus);
                    }
                }
            }
            Map<Linear, LowRankFactors> factors = new IdentityHashMap<>();
            List<Tensor> made = new ArrayList<>();
            parts.forEach((site, part) -> factors.put(
                    site,
                    part.adapterFactors == null
                            ? part.copy(site.type(), scope, made)
                            : part.adapterFactors.times(part.scale)));
            return new BatchedLowRank(factors, made);
        }
    }

    /**
     * The update of a layer, {@code scale · B A}.
     *
     * @param adapterFactors the same factors where an adapter holds them, in the layer's type
     */
    private record LayerUpdate(
            Factors factors, double scale, @Nullable LowRankFactors adapterFactors) {
        /** Null where an effect is something else. */
        static @Nullable LayerUpdate of(Effect effect, ScalarType type, double strength) {
            if (!(effect instanceof Effect.Delta delta) || delta.bias() != null) {
                return null;
            }
            LowRankFactors held = delta.scaledFactors();
            if (held != null) {
                Factors factors = new Factors(held.a(), held.b());
                boolean typed = held.a().scalar_type().value == type.value;
                return typed
                        ? new LayerUpdate(factors, strength, held)
                        : new LayerUpdate(factors, held.scale() * strength, null);
            }
            Factors factors = delta.factors();
            return factors == null ? null : new LayerUpdate(factors, strength, null);
        }

        LayerUpdate plus(LayerUpdate other) {
            Tensor a = Ops.cat(0, factors.a(), other.factors.a());
            return new LayerUpdate(new Factors(a, Ops.cat(1, scaledB(), other.scaledB())), 1, null);
        }

        private Tensor scaledB() {
            return Ops.scale(factors.b(), adapterFactors == null ? scale : scale * adapterFactors.scale());
        }

        LowRankFactors copy(ScalarType type, Scope scope, List<Tensor> made) {
            Tensor a = scope.release(Ops.to(factors.a(), type).contiguous());
            Tensor b = scope.release(Ops.to(factors.b(), type).contiguous());
            made.addAll(List.of(a, b));
            return new LowRankFactors(a, b, scale);
        }
    }

    @Override
    public void close() {
        owned.forEach(Tensor::close);
    }
}
