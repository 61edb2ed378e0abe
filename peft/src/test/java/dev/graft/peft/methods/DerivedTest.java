package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class DerivedTest {
    private int made;

    @Test
    void isMadeOnceOfFrozenParametersAndAnewOfOthers() {
        try (Scope scope = new Scope()) {
            Tensor parameter = Tensors.ones(ScalarType.Float, 3);
            Derived twice = new Derived(List.of(parameter), () -> {
                made++;
                return Ops.scale(parameter, 2);
            });

            assertThat(Tensors.floats(twice.value())).containsExactly(2, 2, 2);
            try (Scope pass = new Scope()) {
                twice.value();
            }
            assertThat(Tensors.floats(twice.value())).containsExactly(2, 2, 2);
            assertThat(made).isEqualTo(1);

            parameter.set_requires_grad(true);
            assertThat(twice.value().requires_grad()).isTrue();
            try (NoGrad off = new NoGrad()) {
                parameter.add_(new Scalar(1));
                assertThat(Tensors.floats(twice.value())).containsExactly(4, 4, 4);
            }
            assertThat(made).isEqualTo(3);

            parameter.set_requires_grad(false);
            assertThat(Tensors.floats(twice.value())).containsExactly(4, 4, 4);
            twice.value();
            assertThat(made).isEqualTo(4);
        }
    }
}
