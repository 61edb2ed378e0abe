package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Beside libtorch's operations in double precision, on the values as they are stored. */
class FusedOpsTest {
    private final Rng rng = Rng.of(7, "fused");
    private static final double EPS = 1e-5;

    /** Types, and lengths that fill registers and that don't. */
    static Stream<Arguments> sizes() {
        return Stream.of(ScalarType.Float, ScalarType.BFloat16)
                .flatMap(type -> Stream.of(1L, 7L, 16L, 33L, 64L, 577L, 2500L).map(n -> Arguments.of(type, n)));
    }

    private static Tensor applied(FusedOps.GateFunction function, Tensor x) {
        return function == FusedOps.GateFunction.SILU ? torch.silu(x) : torch.gelu(x);
    }

    private Tensor random(ScalarType type, long... shape) {
        return Ops.to(rng.normal(0, 2, shape), type);
    }

    static Tensor wide(Tensor x) {
        return Ops.to(x.detach(), ScalarType.Double);
    }

    static void close(Tensor actual, Tensor expected, String what) {
        double tolerance = actual.scalar_type().value == ScalarType.BFloat16.value ? 0.005 : 1e-5;
        Tensor difference = wide(actual).sub(expected).abs();
        Tensor allowed = Ops.plus(Ops.scale(expected.abs(), tolerance), tolerance / 4);
        assertThat(Tensors.item(difference.div(allowed).max())).as(what).isLessThan(1);
    }

    /** The gradients of leaves when the function's answer has that gradient, in double precision. */
    private static List<Tensor> gradients(List<Tensor> leaves, UnaryOperator<List<Tensor>> function, Tensor gradient) {
        List<Tensor> wide = leaves.stream()
                .map(leaf -> wide(leaf).clone().set_requires_grad(true))
                .toList();
        function.apply(wide).get(0).backward(wide(gradient), new BoolOptional(), false, new TensorArrayRefOptional());
        return wide.stream().map(Tensor::grad).toList();
    }

    private static Tensor norm(Tensor x, Tensor weight) {
        return x.mul(Ops.plus(Ops.mean(x.square(), -1, true), EPS).rsqrt()).mul(weight);
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void normalisesEachRow(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Tensor x = random(type, 5, 3, n);
            Tensor weight = rng.normal(1, 1, n);
            for (ScalarType to : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
                close(FusedNorm.rmsNorm(x, weight, EPS, to), norm(wide(x), wide(weight)), "norm");
            }
            if (n == 1) {
                return; // nothing is left of the gradient but rounding
            }
            Tensor dy = random(type, 5, 3, n);
            Tensor expected = gradients(List.of(x), in -> List.of(norm(in.get(0), wide(weight))), dy)
                    .get(0);
            Tensor dx = FusedNorm.rmsNormBackward(x, weight, EPS, dy, null);
            close(dx, expected, "gradient");
            Tensor sum = random(type, 5, 3, n);
            Tensor more = wide(sum).add(expected);
            assertThat(FusedNorm.rmsNormBackward(x, weight, EPS, dy, sum)).isSameAs(sum);
            close(sum, more, "added gradient");
        }
    }

    /** Heads that stand one after another in a row, and values that stand apart in memory. */
    @Test
    void normalisesPartsOfRows() {
        try (Scope scope = new Scope()) {
            Tensor weight = rng.normal(1, 1, 32).view(16, 2).select(1, 0);
            Tensor x = random(ScalarType.Float, 4, 2, 60).narrow(2, 3, 48);
            close(
                    FusedNorm.rmsNorm(x, weight, EPS, ScalarType.Float),
                    norm(wide(x).unflatten(-1, 3, 16), wide(weight)).flatten(-2, -1),
                    "heads");
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void gatesAndTheirGradients(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Tensor gate = random(type, 3, n);
            Tensor up = random(type, 3, n);
            for (FusedOps.GateFunction function : FusedOps.GateFunction.values()) {
                Tensor x = FusedOps.gate(function, gate, up);
                close(x, applied(function, wide(gate)).mul(wide(up)), "gate");
                close(FusedOps.gate(function, gate, null), applied(function, wide(gate)), "no gate");
                Tensor dx = random(type, 3, n);
                List<Tensor> expected = gradients(
                        List.of(gate, up),
                        in -> List.of(applied(function, in.get(0)).mul(in.get(1))),
                        dx);
                Tensor[] back = FusedOps.gateBackward(function, gate, up, dx.clone());
                close(back[0], expected.get(0), "gradient of the gate");
                close(back[1], expected.get(1), "gradient of up");
                Tensor alone = gradients(List.of(gate), in -> List.of(applied(function, in.get(0))), dx)
                        .get(0);
                close(FusedOps.gateBackward(function, gate, null, dx)[0], alone, "gradient alone");
            }
        }
    }

    /** Texts of a token whose gates and others stand side by side. */
    @Test
    void gatesOfPartsOfRows() {
        try (Scope scope = new Scope()) {
            Tensor both = random(ScalarType.BFloat16, 5, 1, 66);
            Tensor gate = both.narrow(2, 0, 33);
            Tensor up = both.narrow(2, 33, 33);
            close(
                    FusedOps.gate(FusedOps.GateFunction.SILU, gate, up),
                    applied(FusedOps.GateFunction.SILU, wide(gate)).mul(wide(up)),
                    "parts");
        }
    }

    /** As far as numbers go. */
    @Test
    void functionsOfLargeNumbers() {
        try (Scope scope = new Scope()) {
            float[] values = {-3e38f, -1000, -100, -88, -87, -20, -0f, 0, 20, 87, 89, 1000, 3e38f};
            Tensor x = Tensors.of(values, 1, values.length);
            for (FusedOps.GateFunction function : FusedOps.GateFunction.values()) {
                close(FusedOps.gate(function, x, null), applied(function, wide(x)), function.name());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void sums(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Tensor a = random(ScalarType.Float, 3, n);
            Tensor b = random(type, 3, n);
            Tensor expected = wide(a).add(wide(b));
            close(FusedOps.add(a, b), expected, "sum");
            FusedOps.addTo(a, b);
            close(a, expected, "in place");
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.3})
    void sumsUpDropsAndNormalises(double p) {
        try (Scope scope = new Scope()) {
            for (long n : new long[] {4, 60, 384}) {
                for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
                    Tensor residual = random(ScalarType.Float, 2, 3, n);
                    Tensor output = random(type, 2, 3, n);
                    Tensor weight = rng.normal(1, 1, n);
                    Tensor bias = rng.normal(0, 1, n);
                    Dropout.seed(3, n, 0);
                    Dropout.Mask mask = Dropout.draw(p, output);
                    Tensor kept = mask == null
                            ? Tensors.ones(ScalarType.Float, 2, 3, n)
                            : mask.apply(Tensors.ones(ScalarType.Float, 2, 3, n));
                    Tensor[] made = FusedNorm.postNorm(residual, output, weight, bias, EPS, mask);
                    assumeThat(made).isNotNull();
                    assertThat(FusedNorm.layerNorm(made[1], weight, bias, EPS).equal(made[0]))
                            .isTrue();
                    UnaryOperator<List<Tensor>> formula = in -> List.of(torch.layer_norm(
                            in.get(0).add(in.get(1).mul(wide(kept))),
                            new long[] {n},
                            new TensorOptional(wide(weight)),
                            new TensorOptional(wide(bias)),
                            EPS,
                            false));
                    close(
                            made[0],
                            formula.apply(List.of(wide(residual), wide(output))).get(0),
                            "norm");
                    Tensor dy = random(ScalarType.Float, 2, 3, n);
                    List<Tensor> expected = gradients(List.of(residual, output), formula, dy);
                    Tensor dresidual = random(ScalarType.Float, 2, 3, n);
                    Tensor sum = wide(dresidual).add(expected.get(0));
                    Tensor doutput = Tensors.empty(type, 2, 3, n);
                    FusedNorm.postNormBackward(made[1], weight, EPS, mask, dy, dresidual, true, doutput);
                    close(dresidual, sum, "gradient of the residual");
                    close(doutput, expected.get(1), "gradient of the output");
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void crossEntropyAndItsGradient(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Tensor labels = Tensors.of(new long[] {0, n - 1, n / 2}, 3);
            Tensor weights = Tensors.of(new float[] {1, 0.5f, 2}, 3);
            for (double smoothing : new double[] {0, 0.1}) {
                Tensor logits = random(type, 3, n);
                UnaryOperator<List<Tensor>> formula = in ->
                        List.of(torch.cross_entropy_loss(in.get(0), labels, new TensorOptional(), 0, -100, smoothing)
                                .mul(wide(weights)));
                Tensor expected = formula.apply(List.of(wide(logits))).get(0);
                Tensor back = gradients(List.of(logits), formula, Tensors.ones(ScalarType.Double, 3))
                        .get(0);
                Tensor losses = FusedOps.crossEntropy(logits, labels, weights, smoothing, 0.25);
                assumeThat(losses).isNotNull();
                close(losses, expected, "loss");
                close(logits, Ops.scale(back, 0.25), "gradient");
            }
            assertThatThrownBy(() -> FusedOps.crossEntropy(
                            random(type, 3, n), Tensors.of(new long[] {0, n, 0}, 3), weights, 0, 1))
                    .hasMessageContaining("label " + n);
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void aMaskOnAnythingIsTheMask(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Dropout.seed(5, n, 0);
            Tensor x = random(type, 3, n);
            Dropout.Mask mask = Dropout.draw(0.3, x);
            long after = Dropout.state();
            Dropout.seed(5, n, 0);
            Tensor made = Dropout.mask(x.scalar_type(), 0.3, 3, n);
            assertThat(Dropout.state()).isEqualTo(after);
            Tensor dropped = mask.apply(x);
            assertThat(dropped.ne(new Scalar(0)).equal(made.ne(new Scalar(0)))).isTrue();
            close(dropped, wide(x).mul(wide(made).gt(new Scalar(0)).div(new Scalar(0.7))), "dropped");
            assertThat(mask.applyInPlace(x)).isSameAs(x);
            assertThat(x.equal(dropped)).isTrue();
        }
    }

    /** To the last bit, wherever it stands. */
    @Test
    void aRowIsMadeAsItIsAlone() {
        try (Scope scope = new Scope()) {
            for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
                Tensor x = random(type, 8, 1, 577);
                Tensor up = random(type, 8, 1, 577);
                Tensor weight = rng.normal(1, 1, 577);
                Tensor norms = FusedNorm.rmsNorm(x, weight, EPS, ScalarType.Float);
                Tensor gates = FusedOps.gate(FusedOps.GateFunction.GELU, x, up);
                for (int row = 0; row < 8; row++) {
                    Tensor alone = x.narrow(0, row, 1);
                    assertThat(FusedNorm.rmsNorm(alone, weight, EPS, ScalarType.Float)
                                    .equal(norms.narrow(0, row, 1)))
                            .isTrue();
                    assertThat(FusedOps.gate(FusedOps.GateFunction.GELU, alone, up.narrow(0, row, 1))
                                    .equal(gates.narrow(0, row, 1)))
                            .isTrue();
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 3})
    void readsPartsOfWiderRowsWhereTheyAre(long tokens) {
        assumeThat(Kernels.areAvailable()).isTrue();
        try (Scope scope = new Scope()) {
            for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
                Tensor both = random(type, 4, tokens, 90);
                Tensor gate = both.narrow(2, 5, 40);
                Tensor up = both.narrow(2, 45, 40);
                Tensor apart = FusedOps.gate(FusedOps.GateFunction.SILU, gate.contiguous(), up.contiguous());
                assertThat(FusedOps.gate(FusedOps.GateFunction.SILU, gate, up).equal(apart))
                        .isTrue();
                Tensor others = FusedOps.gate(FusedOps.GateFunction.SILU, gate.narrow(0, 1, 2), up.narrow(0, 1, 2));
                assertThat(others.equal(apart.narrow(0, 1, 2))).isTrue();
                Tensor texts = FusedOps.gate(FusedOps.GateFunction.SILU, gate.narrow(1, 0, 1), up.narrow(1, 0, 1));
                assertThat(texts.equal(apart.narrow(1, 0, 1))).isTrue();
            }
        }
    }

    /** All loops over so many values that threads share them, of which there may be more than processors. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void threadsShareTheirWorkAndGiveTheSame(boolean isBf16) {
        assumeThat(Kernels.areAvailable()).isTrue();
        ScalarType type = isBf16 ? ScalarType.BFloat16 : ScalarType.Float;
        int before = Natives.threads();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Natives.threads(1);
            List<Tensor> alone = ofAllLoops(type);
            for (int threads = 2; threads <= 3; threads++) {
                Natives.threads(threads);
                List<Tensor> shared = ofAllLoops(type);
                for (int i = 0; i < alone.size(); i++) {
                    assertThat(shared.get(i).equal(alone.get(i)))
                            .as("answer %d by %d threads", i, threads)
                            .isTrue();
                }
            }
        } finally {
            Natives.threads(before);
        }
    }

    private List<Tensor> ofAllLoops(ScalarType type) {
        Rng own = Rng.of(8, "shared");
        UnaryOperator<Tensor> typed = x -> Ops.to(x, type);
        Tensor x = typed.apply(own.normal(0, 1, 13, 7, 516));
        Tensor y = typed.apply(own.normal(0, 1, 13, 7, 516));
        Tensor h = own.normal(0, 1, 13, 7, 516);
        Tensor weight = own.normal(1, 1, 516);
        Tensor bias = own.normal(0, 1, 516);
        Dropout.seed(3, 1, 0);
        Dropout.Mask mask = Dropout.draw(0.1, x);
        List<Tensor> all = new ArrayList<>();
        all.add(FusedNorm.rmsNorm(x, weight, EPS, type));
        all.add(FusedNorm.rmsNormBackward(x, weight, EPS, y, null));
        all.add(FusedNorm.layerNorm(h, weight, bias, EPS));
        Tensor[] normed = FusedNorm.postNorm(h, x, weight, bias, EPS, mask);
        all.addAll(List.of(normed));
        Tensor dh = Tensors.zeros(ScalarType.Float, 13, 7, 516);
        Tensor dx = Tensors.zeros(type, 13, 7, 516);
        FusedNorm.postNormBackward(normed[1], weight, EPS, mask, y, dh, true, dx);
        all.addAll(List.of(dh, dx));
        Tensor both = Ops.cat(2, x, y);
        all.add(FusedOps.gate(FusedOps.GateFunction.SILU, both.narrow(2, 0, 516), both.narrow(2, 516, 516)));
        all.addAll(List.of(FusedOps.gateBackward(FusedOps.GateFunction.GELU, x, y, y.clone())));
        all.add(FusedOps.add(h, x));
        Tensor sum = h.clone();
        FusedOps.addTo(sum, x);
        all.add(sum);
        all.add(FusedOps.cast(x, type.value == ScalarType.Float.value ? ScalarType.BFloat16 : ScalarType.Float));
        all.add(mask.apply(x));
        all.add(FusedOps.contiguous(x.view(13, 7, 12, 43).transpose(1, 2), 0.5));
        Tensor angles = own.normal(0, 1, 13, 1, 7, 32);
        all.add(FusedAttention.rotate(x.view(13, 7, 12, 43).transpose(1, 2), angles, angles, false)
                .contiguous());
        Tensor scores = x.clone().view(13, 6, 14, 43);
        all.add(FusedAttention.softmax(scores, typed.apply(own.normal(0, 1, 13, 1, 7, 43)), 7));
        all.add(FusedAttention.softmaxBackward(y.clone(), x));
        Tensor labels = Tensors.of(new long[] {0, 1, 2, 3, 4, 5, 6}, 7);
        Tensor logits = x.clone().view(7, -1);
        all.add(FusedOps.crossEntropy(logits, labels, Tensors.ones(ScalarType.Float, 7), 0.1, 2));
        all.add(logits);
        Tensor keys = typed.apply(own.normal(0, 1, 5, 3, 70, 64));
        Tensor values = typed.apply(own.normal(0, 1, 5, 3, 70, 64));
        Tensor query = typed.apply(own.normal(0, 1, 5, 9, 1, 64));
        Tensor key = typed.apply(own.normal(0, 1, 5, 3, 1, 64));
        all.add(FusedAttention.attendNext(
                query, key, key, keys, values, Tensors.of(new long[] {0, 69, 5, 64, 30}, 5), 0.125));
        all.addAll(List.of(keys, values));
        return all;
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void decodesCodesAsLibtorchDoes(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Tensor codes = Ops.to(
                    rng.normal(0, 60, 5, n)
                            .clamp(new ScalarOptional(new Scalar(-127.0)), new ScalarOptional(new Scalar(127.0))),
                    ScalarType.Char);
            Tensor scales = rng.normal(0, 0.01, 5, 1);
            Tensor expected = Ops.to(Ops.to(codes, ScalarType.Float).mul(scales), type);
            Tensor values = Tensors.empty(type, 5, n);
            assertThat(FusedOps.decodeInt8(codes, scales, values)).isTrue();
            assertThat(values.equal(expected)).isTrue();
            Tensor row = Tensors.empty(type, 1, n);
            FusedOps.decodeInt8(codes.narrow(0, 3, 1), scales.narrow(0, 3, 1), row);
            assertThat(row.equal(expected.narrow(0, 3, 1))).isTrue();
            assertThat(FusedOps.decodeInt8(codes, scales, Ops.to(values, ScalarType.Double)))
                    .isFalse();
        }
    }

    @Test
    void whatIsNotANumberStaysSo() {
        try (Scope scope = new Scope()) {
            float nan = Float.NaN;
            for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
                Tensor x = Ops.to(Tensors.of(new float[] {1, nan, 2, 4, 0, 0, 0, 0}, 2, 4), type);
                Tensor weight = Tensors.ones(ScalarType.Float, 4);
                float[] norms = Tensors.floats(FusedNorm.rmsNorm(x, weight, EPS, type));
                assertThat(norms).containsExactly(nan, nan, nan, nan, 0, 0, 0, 0);
                for (FusedOps.GateFunction function : FusedOps.GateFunction.values()) {
                    assertThat(Tensors.floats(FusedOps.gate(function, x, null))[1])
                            .isNaN();
                    assertThat(Tensors.floats(FusedOps.gateBackward(function, x, null, x.clone())[0])[1])
                            .isNaN();
                }
                assertThat(Tensors.floats(FusedOps.add(x, x))[1]).isNaN();
                Tensor weights = FusedAttention.softmax(x.view(1, 1, 2, 4).clone(), null, 2);
                assumeThat(weights).isNotNull();
                assertThat(Tensors.floats(weights)).containsExactly(nan, nan, nan, nan, 0.25f, 0.25f, 0.25f, 0.25f);
            }
        }
    }

    /** At every place of a register and of what follows the last full one. */
    @ParameterizedTest
    @MethodSource("sizes")
    void oneValueThatIsNotFiniteIsFound(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            Tensor x = Ops.to(rng.normal(0, 1e37, n), type);
            assertThat(FusedOps.isFinite(x)).isTrue();
            for (double value : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
                for (long i = 0; i < n; i += n > 100 ? 31 : 1) {
                    Tensor one = x.clone();
                    one.select(0, i).fill_(new Scalar(value));
                    assertThat(FusedOps.isFinite(one)).isFalse();
                }
            }
            assertThat(FusedOps.isFinite(
                            Tensors.of(new float[] {Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE}, 3)))
                    .isTrue();
            assertThat(FusedOps.isFinite(Tensors.empty(type, 0))).isTrue();
            assertThat(FusedOps.isFinite(wide(x).div(Tensors.zeros(ScalarType.Double, n))))
                    .isFalse();
        }
    }

    /** What libtorch might record, or knows in other types. */
    @Test
    void leavesOthersToLibtorch() {
        try (Scope scope = new Scope()) {
            Tensor weight = Tensors.ones(ScalarType.Float, 16);
            Tensor learns = rng.normal(0, 1, 2, 1, 16).set_requires_grad(true);
            assertThat(FusedNorm.rmsNorm(learns, weight, EPS).requires_grad()).isTrue();
            Tensor learnt = Tensors.ones(ScalarType.Float, 16).set_requires_grad(true);
            assertThat(FusedNorm.rmsNorm(rng.normal(0, 1, 2, 1, 16), learnt, EPS)
                            .requires_grad())
                    .isTrue();
            Tensor x = random(ScalarType.Double, 2, 16);
            close(FusedNorm.rmsNorm(x, wide(weight), EPS, x.scalar_type()), norm(x, wide(weight)), "norm");
            assertThat(FusedOps.gate(FusedOps.GateFunction.SILU, x, x)).isNull();
            assertThat(FusedOps.add(x, x).equal(Ops.scale(x, 2))).isTrue();
        }
    }
}
