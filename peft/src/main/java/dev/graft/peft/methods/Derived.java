package dev.graft.peft.methods;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What a method makes of parameters before it acts: made once of those of a {@linkplain dev.graft.peft.Adapter#freeze frozen} adapter, anew
 * each time where they may change.
 */
final class Derived {
    private final List<Tensor> parameters;
    private final Supplier<Tensor> formula;
    private @Nullable Tensor known;

    Derived(List<Tensor> parameters, Supplier<Tensor> formula) {
        this.parameters = parameters;
        this.formula = formula;
    }

    synchronized Tensor value() {
        if (parameters.stream().anyMatch(Tensor::requires_grad)) {
            known = null;
            return formula.get();
        }
        Tensor value = known;
        if (value == null) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                value = scope.release(formula.get());
            }
            known = value;
        }
        return value;
    }
}
