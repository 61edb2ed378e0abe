package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProductsTest {
    /** Whatever else needs none, a weight and a bias that learn get their gradients. */
    @ParameterizedTest
    @ValueSource(strings = {"Float", "BFloat16"})
    void aProductWithASumGivesAllGradients(ScalarType type) {
        try (Scope scope = new Scope()) {
            Tensor x = Ops.to(Rng.of(4, "x").normal(0, 1, 5, 8), type);
            Tensor sum = Tensors.zeros(type, 5, 3);
            Tensor weight = Tensors.ones(type, 3, 8).requires_grad_(true);
            Tensor bias = Tensors.ones(type, 3).requires_grad_(true);

            Products.linear(x, weight, null, sum).sum().backward();
            assertThat(weight.grad().defined()).isTrue();
            Products.linear(x, weight.detach(), bias, sum).sum().backward();
            assertThat(Tensors.item(Ops.to(bias.grad(), ScalarType.Float).mean()))
                    .isEqualTo(5);
        }
    }
}
