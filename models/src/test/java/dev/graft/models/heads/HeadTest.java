package dev.graft.models.heads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.functions.SoftCap;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HeadTest {
    /** Labels' logits are far from zero, so that taking them off twice, or adding them, shows. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void inBf16TheLabelsLogitIsTakenOffEachRow(boolean biased) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor weight = Ops.to(Rng.of(6, "w").normal(0, 1, 50, 32), ScalarType.BFloat16);
            Tensor bias = Ops.to(Rng.of(6, "b").normal(3, 1, 50), ScalarType.BFloat16);
            Head plain = new Head.PerToken(new Linear("head", Role.HEAD, -1, weight, bias));
            Tensor moved = Rng.of(6, "moved").normal(0, 4, 1, 50);
            Head head = biased ? new Head.Biased(plain, moved) : plain;
            Tensor rows = Ops.to(Rng.of(6, "x").normal(0, 1, 12, 32), ScalarType.BFloat16);
            Tensor labels = Tensors.arange(12);
            Tensor exact = Ops.to(rows, ScalarType.Float)
                    .matmul(Ops.to(weight, ScalarType.Float).t())
                    .add(bias);
            Tensor own = exact.gather(1, labels.unsqueeze(1));
            Tensor expected = exact.sub(own);

            Tensor less = Ops.to(head.project(rows, labels, ForwardPass.inference(Hooks.NONE)), ScalarType.Float);

            assertThat(largest(own)).isGreaterThan(5);
            assertThat(largest(less.sub(biased ? expected.add(moved) : expected)))
                    .isLessThan(0.2);
            Tensor whole = Ops.to(head.project(rows, ForwardPass.inference(Hooks.NONE)), ScalarType.Float);
            assertThat(largest(less.log_softmax(-1).sub(whole.log_softmax(-1)))).isLessThan(0.2);
        }
    }

    /** A row's label can't be taken off before a cap: that would be another loss. */
    @Test
    void aCapComesLast() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor weight = Ops.to(Rng.of(7, "w").normal(0, 1, 20, 8), ScalarType.BFloat16);
            Head plain = new Head.PerToken(new Linear("head", Role.HEAD, -1, weight, null));
            Head capped = new Head.Capped(plain, new SoftCap(1.5));
            Tensor rows = Ops.to(Rng.of(7, "x").normal(0, 1, 5, 8), ScalarType.BFloat16);
            ForwardPass pass = ForwardPass.inference(Hooks.NONE);
            Tensor exact = Ops.to(plain.project(rows, pass), ScalarType.Float);
            Tensor expected = Ops.scale(Ops.scale(exact, 1 / 1.5).tanh(), 1.5);

            assertThat(largest(exact)).isGreaterThan(3);
            assertThat(largest(
                            Ops.to(capped.project(rows, pass), ScalarType.Float).sub(expected)))
                    .isLessThan(0.02);
            assertThat(largest(Ops.to(capped.project(rows, Tensors.arange(5), pass), ScalarType.Float)
                            .sub(expected)))
                    .isLessThan(0.02);
        }
    }

    private static double largest(Tensor values) {
        return Tensors.item(values.abs().amax());
    }
}
