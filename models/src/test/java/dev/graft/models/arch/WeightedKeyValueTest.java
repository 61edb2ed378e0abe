package dev.graft.models.arch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** Chunks, what is kept between them and padding, against the sum of the paper in doubles. */
class WeightedKeyValueTest {
    private static final int TOKENS = 41;
    private static final int SIZE = 3;

    private static Tensor drawn(String name, long... shape) {
        return Ops.to(Rng.of(7, name).normal(0, 1, shape), ScalarType.Double);
    }

    private static WeightedKeyValue layer() {
        return new WeightedKeyValue(drawn("decay", SIZE), drawn("bonus", SIZE));
    }

    private static Tensor keysAndValues() {
        return Ops.scale(drawn("text", 1, TOKENS, 2 * SIZE), 3);
    }

    /** Equation 16, sum by sum. */
    private static double[] paper(WeightedKeyValue layer, Tensor x) {
        double[] decay = Tensors.doubles(layer.decay());
        double[] bonus = Tensors.doubles(layer.bonus());
        double[] text = Tensors.doubles(x.contiguous());
        int tokens = (int) x.size(1);
        double[] means = new double[tokens * SIZE];
        for (int t = 0; t < tokens; t++) {
            for (int d = 0; d < SIZE; d++) {
                double values = 0;
                double weights = 0;
                for (int i = 0; i <= t; i++) {
                    double key = text[i * 2 * SIZE + d];
                    double weight = Math.exp(i == t ? bonus[d] + key : -(t - 1 - i) * Math.exp(decay[d]) + key);
                    values += weight * text[i * 2 * SIZE + SIZE + d];
                    weights += weight;
                }
                means[t * SIZE + d] = values / weights;
            }
        }
        return means;
    }

    private static double difference(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }

    @Test
    void itIsTheMeanOfThePaper() {
        try (Scope scope = new Scope()) {
            WeightedKeyValue layer = layer();
            Tensor x = keysAndValues();

            double[] means =
                    Tensors.doubles(layer.read(x, null, List.of()).get(0).contiguous());

            double[] expected = paper(layer, x);
            for (int i = 0; i < expected.length; i++) {
                assertThat(means[i]).isCloseTo(expected[i], org.assertj.core.api.Assertions.within(1e-12));
            }
        }
    }

    @Test
    void aTextInPartsIsTheTextAtOnce() {
        try (Scope scope = new Scope()) {
            WeightedKeyValue layer = layer();
            Tensor x = keysAndValues();
            Tensor whole = layer.read(x, null, List.of()).get(0);
            for (List<Integer> cuts : List.of(List.of(0, 1, 2, 40, 41), List.of(0, 16, 32, 41), List.of(0, 23, 41))) {
                List<Tensor> state = List.of();
                for (int i = 1; i < cuts.size(); i++) {
                    int from = cuts.get(i - 1);
                    int count = cuts.get(i) - from;
                    List<Tensor> read = layer.read(x.narrow(1, from, count), null, state);
                    assertThat(difference(read.get(0), whole.narrow(1, from, count)))
                            .as("from %d of %s", from, cuts)
                            .isLessThan(1e-12);
                    state = read.subList(1, read.size());
                }
            }
        }
    }

    @Test
    void paddingAnywhereLeavesNoTrace() {
        try (Scope scope = new Scope()) {
            WeightedKeyValue layer = layer();
            Tensor x = keysAndValues();
            List<Tensor> alone = layer.read(x, null, List.of());
            Tensor padding = Ops.plus(Tensors.zeros(ScalarType.Double, 1, 19, 2 * SIZE), 50);
            Tensor padded = Ops.cat(1, padding, x.narrow(1, 0, 5), padding, x.narrow(1, 5, TOKENS - 5), padding);
            Tensor none = Tensors.zeros(ScalarType.Long, 1, 19);
            Tensor visible = Ops.cat(
                    1,
                    none,
                    Tensors.ones(ScalarType.Long, 1, 5),
                    none,
                    Tensors.ones(ScalarType.Long, 1, TOKENS - 5),
                    none);

            List<Tensor> read = layer.read(padded, visible, List.of());

            Tensor seen = Ops.cat(1, read.get(0).narrow(1, 19, 5), read.get(0).narrow(1, 43, TOKENS - 5));
            assertThat(difference(seen, alone.get(0))).isLessThan(1e-12);
            assertThat(difference(read.get(1), alone.get(1))).isLessThan(1e-12);
            assertThat(difference(read.get(2), alone.get(2))).isLessThan(1e-12);
        }
    }
}
