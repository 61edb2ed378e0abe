package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CrossEntropyTest {
    @ParameterizedTest
    @ValueSource(doubles = {0, 0.1})
    void givesTheLossAndTheGradientThatAutogradGives(double smoothing) {
        try (Scope scope = new Scope()) {
            Tensor values = Rng.of(1, "logits").normal(0, 3, 5, 7);
            Tensor labels = Tensors.of(new long[] {0, 6, 3, 3, 1}, 5);
            Tensor weights = Tensors.of(new float[] {1, 1, 0.5f, 2, 1}, 5);
            Tensor expected = values.clone().set_requires_grad(true);
            Tensor sum =
                    CrossEntropy.of(expected, labels, smoothing).mul(weights).sum();
            Ops.scale(sum, 0.25).backward();

            Tensor logits = values.clone().set_requires_grad(true);
            double loss = CrossEntropy.backward(logits, labels, weights, smoothing, 0.25);

            assertThat(loss).isCloseTo(Tensors.item(sum), within(1e-4));
            assertThat(Tensors.floats(logits.grad())).containsExactly(Tensors.floats(expected.grad()), within(1e-6f));
        }
    }

    @Test
    void isTheSameWhereRowsAreTakenSomeAtATime() {
        try (Scope scope = new Scope()) {
            Tensor values = Rng.of(2, "logits").normal(0, 3, 3, 300_000);
            Tensor labels = Tensors.of(new long[] {7, 299_999, 0}, 3);
            Tensor weights = Tensors.of(new float[] {1, 0.5f, 2}, 3);
            Tensor expected = values.clone().set_requires_grad(true);
            Tensor sum = CrossEntropy.of(expected, labels, 0).mul(weights).sum();
            sum.backward();

            Tensor logits = values.clone().set_requires_grad(true);
            double loss = CrossEntropy.backward(logits, labels, weights, 0, 1);

            assertThat(loss).isCloseTo(Tensors.item(sum), within(1e-3));
            assertThat(Tensors.item(logits.grad().sub(expected.grad()).abs().max()))
                    .isLessThan(1e-6);
        }
    }

    @Test
    void isFiniteWhereTheChanceOfTheLabelUnderflows() {
        try (Scope scope = new Scope()) {
            Tensor logits = Tensors.of(new float[] {200, 0, -10}, 1, 3).set_requires_grad(true);
            double loss =
                    CrossEntropy.backward(logits, Tensors.of(new long[] {2}, 1), Tensors.of(new float[] {1}, 1), 0, 1);
            assertThat(loss).isCloseTo(210, within(1e-4));
            assertThat(Tensors.floats(logits.grad())).containsExactly(new float[] {1, 0, -1}, within(1e-6f));
        }
    }
}
