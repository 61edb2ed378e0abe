package dev.graft.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.peft.TrainingRule.Rate;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.FlatParameters.Decay;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/** Values by hand; equality with PyTorch over whole runs is tested by the training fixtures. */
class OptimizerTest {
    private final Map<String, Tensor> given = new LinkedHashMap<>();

    private FlatParameters parameters() {
        given.put("bias", Tensors.of(new float[] {1, 2}, 2).set_requires_grad(true));
        given.put("weight", Tensors.of(new float[] {3, 4, 5, 6}, 2, 2).set_requires_grad(true));
        return new FlatParameters(given);
    }

    private static void gradient(FlatParameters parameters, float... values) {
        try (NoGrad noGrad = new NoGrad()) {
            parameters.gradients().copy_(Tensors.of(values, values.length));
        }
    }

    @Test
    void parametersBecomeViewsOfOneVectorWithMatricesFirst() {
        FlatParameters parameters = parameters();
        assertThat(parameters.parameters().keySet()).containsExactly("weight", "bias");
        assertThat(Tensors.floats(parameters.values())).containsExactly(3, 4, 5, 6, 1, 2);
        assertThat(parameters.groups()).hasSize(1);
        assertThat(Tensors.floats(parameters.groups().get(0).matricesOf(parameters.values())))
                .containsExactly(3, 4, 5, 6);
        gradient(parameters, 1, 1, 1, 1, 2, 2);
        new Sgd(parameters, 0, 0).step(0.5);
        assertThat(Tensors.floats(given.get("bias"))).containsExactly(0, 1);
        assertThat(Tensors.floats(given.get("weight"))).containsExactly(2.5f, 3.5f, 4.5f, 5.5f);
        given.get("bias").sum().backward();
        assertThat(Tensors.floats(parameters.gradients())).containsExactly(1, 1, 1, 1, 3, 3);
    }

    @Test
    void weightDecayActsOnMatricesOrOnAll() {
        FlatParameters some = parameters();
        gradient(some, 0, 0, 0, 0, 0, 0);
        new AdamW.Settings(0.9, 0.999, 1e-8, 0.5, Decay.MATRICES).of(some).step(0.1);
        assertThat(Tensors.floats(some.values()))
                .containsExactly(new float[] {2.85f, 3.8f, 4.75f, 5.7f, 1, 2}, offset(1e-6f));
        FlatParameters all = parameters();
        gradient(all, 0, 0, 0, 0, 0, 0);
        new AdamW(all, new AdamW.Settings(0.9, 0.999, 1e-8, 0.5)).step(0.1);
        assertThat(Tensors.floats(all.values()))
                .containsExactly(new float[] {2.85f, 3.8f, 4.75f, 5.7f, 0.95f, 1.9f}, offset(1e-6f));
        FlatParameters sgd = parameters();
        gradient(sgd, 1, 1, 1, 1, 1, 1);
        new Sgd.Settings(0, 0.5, Decay.MATRICES).of(sgd).step(0.1);
        assertThat(Tensors.floats(sgd.values()))
                .containsExactly(new float[] {2.75f, 3.7f, 4.65f, 5.6f, 0.9f, 1.9f}, offset(1e-6f));
    }

    /** A parameter of a group is changed as if it were alone, from its first step on. */
    @Test
    void groupsLearnAtTheirRatesAndFromTheirSteps() {
        for (Optimizer.Settings settings :
                List.of(new Sgd.Settings(0.9, 0.1, Decay.ALL), new AdamW.Settings(0.9, 0.99, 1e-8, 0.1))) {
            given.clear();
            parameters();
            Rate late = new Rate(0.5, 2);
            FlatParameters grouped = new FlatParameters(given, name -> name.equals("weight") ? late : Rate.DEFAULT);
            Optimizer together = settings.of(grouped);
            Map<String, Tensor> one =
                    Map.of("weight", Tensors.of(new float[] {3, 4, 5, 6}, 2, 2).set_requires_grad(true));
            FlatParameters weight = new FlatParameters(one);
            Optimizer alone = settings.of(weight);
            for (int step = 0; step < 4; step++) {
                grouped.prepare(step);
                assertThat(given.get("weight").requires_grad()).isEqualTo(step >= 2);
                gradient(grouped, 1, step, 4, 3, 2, step - 1);
                together.step(0.1);
                if (step >= 2) {
                    gradient(weight, 4, 3, 2, step - 1);
                    alone.step(0.05);
                }
                assertThat(Tensors.floats(given.get("weight")))
                        .as("step %d of %s", step, settings)
                        .isEqualTo(Tensors.floats(weight.values()));
            }
            assertThat(Tensors.floats(given.get("bias"))[0]).isLessThan(0.9f);
        }
    }

    @Test
    void adamSFirstStepIsTheRateInTheDirectionOfTheGradient() {
        FlatParameters parameters = parameters();
        gradient(parameters, 10, -0.1f, 0, 2, 3, -4);
        new AdamW(parameters, AdamW.Settings.DEFAULT).step(0.25);
        assertThat(Tensors.floats(parameters.values()))
                .containsExactly(new float[] {2.75f, 4.25f, 5, 5.75f, 0.75f, 2.25f}, offset(1e-5f));
    }

    @Test
    void epsIsAddedAfterTheCorrectionOrBeforeIt() {
        // After one step √v is |g| √0.001 before the correction and |g| after it.
        double root = Math.sqrt(0.001);
        for (boolean raw : new boolean[] {false, true}) {
            FlatParameters parameters = parameters();
            gradient(parameters, 1, 1, 1, 1, 1, 1);
            new AdamW.Settings(0.9, 0.999, 0.1, 0, Decay.ALL, raw)
                    .of(parameters)
                    .step(0.5);
            double moved = raw ? 0.5 * root / (root + 0.1) : 0.5 / 1.1;
            assertThat(Tensors.floats(parameters.values())[0]).isCloseTo((float) (3 - moved), offset(1e-6f));
        }
    }

    private static final List<Optimizer.Settings> ALL = List.of(
            new Sgd.Settings(0.9, 0.01, Decay.ALL),
            new AdamW.Settings(0.9, 0.99, 1e-8, 0.1),
            new AdamW8bit.Settings(new AdamW.Settings(0.9, 0.99, 1e-8, 0.1), 3),
            new Lion.Settings(0.9, 0.99, 0.1, Decay.ALL),
            Adafactor.Settings.DEFAULT
                    .with()
                    .beta1(0.9)
                    .scaleParameter(true)
                    .weightDecay(0.1)
                    .decay(Decay.ALL)
                    .build(),
            new Lbfgs.Settings(1, 1, 1e-7, 1e-9, 5, false));

    @Test
    void everyOptimiserGoesOnFromItsSavedStateWithTheSameBits() {
        for (Optimizer.Settings settings : ALL) {
            FlatParameters first = parameters();
            Optimizer whole = settings.of(first);
            for (int step = 0; step < 3; step++) {
                gradient(first, 1, 2 + step, 3, 4, 5 - step, 6);
                whole.step(0.1, 1, () -> 1);
            }
            FlatParameters second = parameters();
            try (NoGrad noGrad = new NoGrad()) {
                second.values().copy_(first.values());
            }
            Optimizer resumed = settings.of(second);
            resumed.restore(whole.steps(), whole.state());
            gradient(first, -1, 2, -3, 4, 0, 1);
            gradient(second, -1, 2, -3, 4, 0, 1);
            whole.step(0.1, 1, () -> 1);
            resumed.step(0.1, 1, () -> 1);
            assertThat(Tensors.floats(second.values())).as("%s", settings).isEqualTo(Tensors.floats(first.values()));
            assertThat(resumed.steps()).isEqualTo(4);
            assertThatThrownBy(() -> resumed.restore(1, Map.of()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("the saved optimiser has no ");
        }
    }

    @Test
    void aGroupMayHaveAWeightDecayOfItsOwnOnVectorsToo() {
        for (Optimizer.Settings settings : List.of(
                new Sgd.Settings(0, 0.5, Decay.MATRICES),
                new AdamW.Settings(0.9, 0.99, 1e-8, 0.5, Decay.MATRICES),
                new AdamW8bit.Settings(new AdamW.Settings(0.9, 0.99, 1e-8, 0.5, Decay.MATRICES), 3),
                new Lion.Settings(0.9, 0.99, 0.5, Decay.MATRICES),
                Adafactor.Settings.DEFAULT.withWeightDecay(0.5))) {
            parameters();
            FlatParameters own = new FlatParameters(
                    name -> new FlatParameters.GroupOptions(Rate.DEFAULT, name.equals("bias") ? (Double) 0.25 : null),
                    given);
            settings.of(own).step(0.1);
            assertThat(Tensors.floats(given.get("weight"))[0])
                    .as("%s", settings)
                    .isCloseTo(2.85f, offset(1e-6f));
            assertThat(Tensors.floats(given.get("bias"))[0]).as("%s", settings).isCloseTo(0.975f, offset(1e-6f));
        }
    }

    @Test
    void clippingScalesToTheNormAndLeavesSmallerGradientsAlone() {
        FlatParameters parameters = parameters();
        gradient(parameters, 3, 0, 4, 0, 0, 0);
        assertThat(parameters.gradientNorm()).isEqualTo(5);
        parameters.clip(5, 6);
        assertThat(Tensors.floats(parameters.gradients())).containsExactly(3, 0, 4, 0, 0, 0);
        parameters.clip(5, 1);
        assertThat(parameters.gradientNorm()).isCloseTo(1, offset(1e-6));
    }

    @Test
    void settingsOutOfRangeAreRefusedByName() {
        assertThatThrownBy(() -> new AdamW.Settings(1, 0.9, 1e-8, 0))
                .isInstanceOf(InputException.class)
                .hasMessage("beta1 is 1.0, expected 0 or more and below 1");
        assertThatThrownBy(() -> new AdamW.Settings(0.9, -0.1, 1e-8, 0)).hasMessageContaining("beta2 is -0.1");
        assertThatThrownBy(() -> new AdamW.Settings(0.9, 0.9, 0, 0)).hasMessageContaining("eps is 0.0");
        assertThatThrownBy(() -> new AdamW.Settings(0.9, 0.9, 1e-8, Double.NaN))
                .hasMessageContaining("weight_decay is NaN");
        assertThatThrownBy(() -> new Sgd.Settings(1, 0, Decay.ALL)).hasMessageContaining("momentum is 1.0");
        assertThatThrownBy(() -> new Lion.Settings(1, 0, 0, Decay.ALL)).hasMessageContaining("beta1 is 1.0");
        assertThatThrownBy(() -> new Lbfgs.Settings(0, 1, 0, 0, 1, false)).hasMessageContaining("max_iter is 0.0");
        assertThatThrownBy(() -> Adafactor.Settings.DEFAULT.withDecayRate(0.8))
                .hasMessageContaining("decay_rate is 0.8");
        assertThatThrownBy(() -> new RiemannianAdamW.Settings(AdamW.Settings.DEFAULT, 0))
                .hasMessageContaining("reg is 0.0");
    }
}
