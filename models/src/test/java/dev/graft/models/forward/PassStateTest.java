package dev.graft.models.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PassStateTest {
    private static Tensor row(float... values) {
        return Tensors.of(values, 1, values.length);
    }

    /** Two layers, each of which reads what the one before it left: {@code s₁ = w x, h₁ = w; s₂ = w s₁, h₂ = h₁ s₁}. */
    private static double gradient(ForwardPass pass, Tensor w) {
        Object first = new Object();
        Object second = new Object();
        Tensor x = row(3, 5);
        Tensor h1 = pass.layer(() -> pass.segment(() -> {
            pass.context().putState(first, w.mul(x));
            return new Tensor[] {w.add(new Scalar(0))};
        })[0]);
        Tensor h2 = pass.layer(() -> pass.segment(() -> {
            Tensor s = pass.context().getState(first);
            pass.context().putState(second, w.mul(s));
            return new Tensor[] {h1.mul(s)};
        })[0]);
        pass.segment(() -> new Tensor[] {h2.add(pass.context().getState(second))})[0]
                .sum()
                .backward();
        pass.backward();
        return Tensors.item(w.grad().sum());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void haveGradientsThroughPiecesAndLayersThatRunAgain(boolean again) {
        Tensor w = row(2, 7).set_requires_grad(true);
        ForwardPass pass = ForwardPass.training(Hooks.NONE);

        // The sum of 2 w² x, whose derivative is 4 w x.
        assertThat(gradient(again ? pass.checkpointed() : pass, w)).isEqualTo(4 * (2 * 3 + 7 * 5));
    }

    @Test
    void areOfTheRowsThatTheyAreLeftFor() {
        Object key = new Object();
        ForwardPass pass = ForwardPass.inference(Hooks.NONE);
        pass.context().setInputs(Inputs.of(new long[][] {{1}, {2}, {3}}));
        ForwardPass some = pass.of(Tensors.of(new long[] {2, 0}, 2));
        some.context().putState(key, Tensors.of(new float[] {5, 6}, 2, 1));
        pass.of(Tensors.of(new long[] {1}, 1)).context().putState(key, Tensors.of(new float[] {9}, 1, 1));

        assertThat(Tensors.doubles(pass.context().getState(key))).containsExactly(6, 9, 5);
        assertThat(Tensors.doubles(some.context().getState(key))).containsExactly(5, 6);
        assertThatThrownBy(() -> pass.context().getState(new Object())).hasMessageContaining("nothing was left");
    }
}
