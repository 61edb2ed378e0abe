package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NotesTest {
    private static Tensor row(float... values) {
        return Tensors.of(values, 1, values.length);
    }

    /** Two layers, each of which reads what the one before it left: {@code s₁ = w x, h₁ = w; s₂ = w s₁, h₂ = h₁ s₁}. */
    private static double gradient(Pass pass, Tensor w) {
        Object first = new Object();
        Object second = new Object();
        Tensor x = row(3, 5);
        Tensor h1 = pass.layer(() -> pass.piece(() -> {
            pass.context().note(first, w.mul(x));
            return new Tensor[] {w.add(new Scalar(0))};
        })[0]);
        Tensor h2 = pass.layer(() -> pass.piece(() -> {
            Tensor s = pass.context().noted(first);
            pass.context().note(second, w.mul(s));
            return new Tensor[] {h1.mul(s)};
        })[0]);
        pass.piece(() -> new Tensor[] {h2.add(pass.context().noted(second))})[0]
                .sum()
                .backward();
        pass.backward();
        return Tensors.item(w.grad().sum());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void haveGradientsThroughPiecesAndLayersThatRunAgain(boolean again) {
        Tensor w = row(2, 7).set_requires_grad(true);
        Pass pass = Pass.training(Hooks.NONE);

        // The sum of 2 w² x, whose derivative is 4 w x.
        assertThat(gradient(again ? pass.checkpointed() : pass, w)).isEqualTo(4 * (2 * 3 + 7 * 5));
    }

    @Test
    void areOfTheRowsThatTheyAreLeftFor() {
        Object key = new Object();
        Pass pass = Pass.inference(Hooks.NONE);
        pass.context().sees(Inputs.of(new long[][] {{1}, {2}, {3}}));
        Pass some = pass.of(Tensors.of(new long[] {2, 0}, 2));
        some.context().note(key, Tensors.of(new float[] {5, 6}, 2, 1));
        pass.of(Tensors.of(new long[] {1}, 1)).context().note(key, Tensors.of(new float[] {9}, 1, 1));

        assertThat(Tensors.doubles(pass.context().noted(key))).containsExactly(6, 9, 5);
        assertThat(Tensors.doubles(some.context().noted(key))).containsExactly(5, 6);
        assertThatThrownBy(() -> pass.context().noted(new Object())).hasMessageContaining("nothing was left");
    }
}
