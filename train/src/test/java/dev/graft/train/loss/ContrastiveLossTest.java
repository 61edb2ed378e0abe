package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Image;
import dev.graft.train.data.Target;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ContrastiveLossTest {
    private static final int ROWS = 4;

    private static Base base(String name) {
        return Base.load(Path.of("../parity/fixtures/bases").resolve(name));
    }

    private static Batch batch() {
        List<Example> examples = new ArrayList<>();
        for (int row = 0; row < ROWS; row++) {
            float[] values = Tensors.floats(Rng.of(row, "image").normal(0, 1, 3, 16, 16));
            Image image = new Image(3, 16, 16, () -> values);
            examples.add(new Example(row, new int[] {4 + row, 9, 63}, null, new Target.Match(), null, image));
        }
        return Batch.of(examples, 0);
    }

    private static double logOfSum(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += Math.exp(value);
        }
        return Math.log(sum);
    }

    /** The formulas, pair by pair. */
    @ParameterizedTest
    @CsvSource({"clip, false", "siglip, true"})
    void isTheFormulaOfItsPaper(String name, boolean alone) {
        Base base = base(name);
        double[] z = Tensors.doubles(base.logits(LossFunction.inputs(batch()), ForwardPass.inference(Hooks.NONE)));
        double expected = 0;
        for (int i = 0; i < ROWS; i++) {
            double[] texts = new double[ROWS];
            double[] images = new double[ROWS];
            for (int j = 0; j < ROWS; j++) {
                texts[j] = z[i * ROWS + j];
                images[j] = z[j * ROWS + i];
                if (alone) {
                    expected += Math.log1p(Math.exp(i == j ? -texts[j] : texts[j]));
                }
            }
            if (!alone) {
                expected += (logOfSum(texts) - texts[i] + logOfSum(images) - images[i]) / 2;
            }
        }
        List<Integer> chosen = new ArrayList<>();
        Loss loss = Losses.of(base, 0)
                .predict(
                        Hooks.NONE,
                        batch(),
                        prediction -> chosen.add(((Prediction.SingleLabel) prediction).predicted()));

        assertThat(loss.mean()).isCloseTo(expected / ROWS, within(1e-4));
        assertThat(chosen).hasSize(ROWS);
    }

    @Test
    void aBatchIsNeverCut() {
        assertThat(batch().parts(3)).hasSize(1);
    }
}
