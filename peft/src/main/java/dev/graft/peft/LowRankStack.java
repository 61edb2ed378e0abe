package dev.graft.peft;

import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.inits.Factors;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ScaledFactors;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What adapters that act one after another do, where that is low-rank updates of linear layers: contiguous factors of each layer's type.
 *
 * @param made those tensors that no adapter holds
 */
record LowRankStack(Map<Linear, ScaledFactors> factors, List<Tensor> made) implements AutoCloseable {
    /** Null where they do something else too. */
    static @Nullable LowRankStack of(List<Selection.Active> stack) {
        Map<Linear, Part> parts = new IdentityHashMap<>();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            for (Selection.Active active : stack) {
                for (Site site : active.adapter().sites()) {
                    for (Effect effect : active.effects(site)) {
                        Part part = site instanceof Linear linear
                                ? Part.of(effect, linear.type(), active.strength())
                                : null;
                        if (part == null) {
                            return null;
                        }
                        parts.merge((Linear) site, part, Part::and);
                    }
                }
            }
            Map<Linear, ScaledFactors> factors = new IdentityHashMap<>();
            List<Tensor> made = new ArrayList<>();
            parts.forEach((site, part) -> factors.put(
                    site, part.held == null ? part.copy(site.type(), scope, made) : part.held.times(part.scale)));
            return new LowRankStack(factors, made);
        }
    }

    /**
     * The update of a layer, {@code scale · B A}.
     *
     * @param held the same factors where an adapter holds them, in the layer's type
     */
    private record Part(
            Factors factors, double scale, @Nullable ScaledFactors held) {
        /** Null where an effect is something else. */
        static @Nullable Part of(Effect effect, ScalarType type, double strength) {
            if (!(effect instanceof Effect.Delta delta) || delta.bias() != null) {
                return null;
            }
            ScaledFactors held = delta.held();
            if (held != null) {
                Factors factors = new Factors(held.a(), held.b());
                boolean typed = held.a().scalar_type().value == type.value;
                return typed ? new Part(factors, strength, held) : new Part(factors, held.scale() * strength, null);
            }
            Factors factors = delta.factors();
            return factors == null ? null : new Part(factors, strength, null);
        }

        Part and(Part other) {
            Tensor a = Ops.cat(0, factors.a(), other.factors.a());
            return new Part(new Factors(a, Ops.cat(1, scaledB(), other.scaledB())), 1, null);
        }

        private Tensor scaledB() {
            return Ops.scale(factors.b(), held == null ? scale : scale * held.scale());
        }

        ScaledFactors copy(ScalarType type, Scope scope, List<Tensor> made) {
            Tensor a = scope.release(Ops.to(factors.a(), type).contiguous());
            Tensor b = scope.release(Ops.to(factors.b(), type).contiguous());
            made.addAll(List.of(a, b));
            return new ScaledFactors(a, b, scale);
        }
    }

    @Override
    public void close() {
        made.forEach(Tensor::close);
    }
}
