package dev.graft.train.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.FlatParameters.Decay;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Step by step against transformers, bitsandbytes, torch and PEFT: {@code parity/python/optimizer_goldens.py}. */
class OptimizerGoldensTest {
    private static final JsonNode GOLDENS = Json.read(Path.of("../parity/fixtures/optimizers/optimizers.json"));
    private static final int COUNT = 20 * 300 + 7;

    private static FlatParameters parameters() {
        float[] start = new float[COUNT];
        for (int i = 0; i < COUNT; i++) {
            start[i] = (float) (Math.sin(0.7 * i) * 0.3);
        }
        Map<String, Tensor> given = new LinkedHashMap<>();
        given.put("weight", Tensors.of(Arrays.copyOf(start, COUNT - 7), 20, 300).set_requires_grad(true));
        given.put(
                "bias",
                Tensors.of(Arrays.copyOfRange(start, COUNT - 7, COUNT), 7).set_requires_grad(true));
        return new FlatParameters(given);
    }

    private static void gradient(FlatParameters parameters, int step) {
        float[] values = Tensors.floats(parameters.values());
        float[] gradient = new float[COUNT];
        for (int i = 0; i < COUNT; i++) {
            gradient[i] = (float) ((0.5 + Math.abs(Math.sin(i))) * ((double) values[i] - Math.cos(2.0 * i))
                    + 0.1 * Math.cos(3.0 * i + step));
        }
        set(parameters.gradients(), gradient);
    }

    private static void set(Tensor tensor, float[] values) {
        try (NoGrad noGrad = new NoGrad()) {
            tensor.copy_(Tensors.of(values, values.length));
        }
    }

    private static float[] sample(FlatParameters parameters) {
        float[] values = Tensors.floats(parameters.values());
        float[] sample = new float[(COUNT - 8) / 307 + 1 + 7];
        int n = 0;
        for (int i = 0; i < COUNT - 7; i += 307) {
            sample[n++] = values[i];
        }
        System.arraycopy(values, COUNT - 7, sample, n, 7);
        return sample;
    }

    private static void compare(
            String name, JsonNode cases, IntFunction<Optimizer.Settings> settings, float tolerance) {
        for (int i = 0; i < cases.size(); i++) {
            JsonNode one = cases.get(i);
            FlatParameters parameters = parameters();
            Optimizer optimizer = settings.apply(i).of(parameters);
            for (int step = 0; step < one.path("values").size(); step++) {
                gradient(parameters, step);
                optimizer.step(one.path("options").path("lr").asDouble(1));
                assertThat(sample(parameters))
                        .as("%s %s step %d", name, one.path("options"), step)
                        .containsExactly(floats(one.path("values").get(step)), offset(tolerance));
            }
        }
    }

    private static float[] floats(JsonNode list) {
        float[] values = new float[list.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = list.get(i).floatValue();
        }
        return values;
    }

    private static @Nullable Double number(JsonNode options, String name) {
        return options.has(name) ? (Double) options.path(name).doubleValue() : null;
    }

    @Test
    void adafactorIsThatOfTransformers() {
        JsonNode cases = GOLDENS.path("adafactor");
        compare(
                "adafactor",
                cases,
                i -> {
                    JsonNode options = cases.get(i).path("options");
                    return new Adafactor.Settings(
                            1e-30,
                            1e-3,
                            options.path("clip_threshold").asDouble(1),
                            options.path("decay_rate").asDouble(-0.8),
                            number(options, "beta1"),
                            options.path("scale_parameter").asBoolean(false),
                            options.path("relative_step").asBoolean(false),
                            options.path("warmup_init").asBoolean(false),
                            options.path("weight_decay").asDouble(0),
                            Decay.ALL);
                },
                2e-6f);
    }

    @Test
    void lionIsThePaperSAlgorithm() {
        JsonNode cases = GOLDENS.path("lion");
        compare(
                "lion",
                cases,
                i -> {
                    JsonNode options = cases.get(i).path("options");
                    JsonNode betas = options.path("betas");
                    return new Lion.Settings(
                            betas.get(0).doubleValue(),
                            betas.get(1).doubleValue(),
                            options.path("weight_decay").doubleValue(),
                            Decay.ALL);
                },
                1e-6f);
    }

    @Test
    void adamwIn8BitsIsThatOfBitsandbytes() {
        JsonNode golden = GOLDENS.path("adamw_8bit");
        assertThat(Tensors.floats(DynamicQuantization.of(true).levels())).isEqualTo(floats(golden.path("signed")));
        assertThat(Tensors.floats(DynamicQuantization.of(false).levels())).isEqualTo(floats(golden.path("unsigned")));
        JsonNode cases = golden.path("cases");
        compare(
                "adamw_8bit",
                cases,
                i -> {
                    JsonNode options = cases.get(i).path("options");
                    JsonNode betas = options.path("betas");
                    return new AdamW8bit.Settings(
                            new AdamW.Settings(
                                    betas.isMissingNode() ? 0.9 : betas.get(0).doubleValue(),
                                    betas.isMissingNode() ? 0.999 : betas.get(1).doubleValue(),
                                    options.path("eps").asDouble(1e-8),
                                    options.path("weight_decay").asDouble(0),
                                    Decay.ALL),
                            4096);
                },
                2e-6f);
    }

    @Test
    void the8BitCodeIsTheNearestLevelOfEachBlock() {
        DynamicQuantization code = DynamicQuantization.of(true);
        float[] values = new float[700];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (Math.sin(i * 1.3) * Math.pow(10, -(i % 5)));
        }
        values[3] = 0;
        DynamicQuantization.QuantizedValues quantized = DynamicQuantization.QuantizedValues.zeros(code, values.length);
        assertThat(Tensors.floats(code.dequantize(quantized, 700))).containsOnly(0);
        code.quantize(Tensors.of(values, 700), quantized);
        float[] back = Tensors.floats(code.dequantize(quantized, 700));
        float[] levels = Tensors.floats(code.levels());
        float[] largest = Tensors.floats(quantized.largest());
        for (int i = 0; i < values.length; i++) {
            float nearest = Float.POSITIVE_INFINITY;
            for (float level : levels) {
                nearest = Math.min(nearest, Math.abs(level * largest[i / 256] - values[i]));
            }
            assertThat(Math.abs(back[i] - values[i])).isCloseTo(nearest, offset(1e-7f));
        }
        assertThat(back[3]).isZero();
        assertThat(Tensors.shape(quantized.codes())).containsExactly(3, 256);
        DynamicQuantization.QuantizedValues again = DynamicQuantization.QuantizedValues.zeros(code, values.length);
        code.quantize(Tensors.of(back, 700), again);
        assertThat(Tensors.bytes(again.codes())).isEqualTo(Tensors.bytes(quantized.codes()));
    }

    private static final class Valley {
        final Tensor p;
        final FlatParameters parameters;

        Valley() {
            double[] start = new double[30];
            p = Tensors.zeros(ScalarType.Double, 30);
            for (int i = 0; i < start.length; i++) {
                p.select(0, i).fill_(new Scalar(Math.sin(0.7 * i) * 0.3));
            }
            p.set_requires_grad(true);
            parameters = new FlatParameters(Map.of("p", p));
        }

        /** Σ (1 + i/10) (p_i - cos 2i)² + 5 Σ (p_(i+1) - p_i²)², with its gradient by hand. */
        double loss() {
            double[] x = Tensors.doubles(parameters.values());
            double[] g = new double[x.length];
            double loss = 0;
            for (int i = 0; i < x.length; i++) {
                double off = x[i] - Math.cos(2 * i);
                loss += (1 + i / 10.0) * off * off;
                g[i] += 2 * (1 + i / 10.0) * off;
                if (i + 1 < x.length) {
                    double bent = x[i + 1] - x[i] * x[i];
                    loss += 5 * bent * bent;
                    g[i + 1] += 10 * bent;
                    g[i] -= 20 * bent * x[i];
                }
            }
            try (NoGrad noGrad = new NoGrad()) {
                for (int i = 0; i < g.length; i++) {
                    parameters.gradients().select(0, i).fill_(new Scalar(g[i]));
                }
            }
            return loss;
        }
    }

    private static Lbfgs.Settings lbfgs(JsonNode options) {
        int iterations = options.path("max_iter").intValue();
        return new Lbfgs.Settings(
                iterations,
                options.path("max_eval").asInt(Math.max(1, iterations * 5 / 4)),
                1e-7,
                1e-9,
                options.path("history_size").asInt(100),
                options.has("line_search_fn"));
    }

    /** In the middle the optimiser is replaced by one that goes on from its saved state. */
    @Test
    void lBfgsIsThatOfTorchAndGoesOnFromItsState() {
        for (JsonNode one : GOLDENS.path("lbfgs")) {
            Valley valley = new Valley();
            Optimizer optimizer = lbfgs(one.path("options")).of(valley.parameters);
            for (int step = 0; step < 4; step++) {
                if (step == 2) {
                    Optimizer resumed = lbfgs(one.path("options")).of(valley.parameters);
                    resumed.restore(optimizer.steps(), optimizer.state());
                    optimizer = resumed;
                }
                double loss = valley.loss();
                assertThat(loss).isCloseTo(one.path("losses").get(step).doubleValue(), offset(1e-7));
                optimizer.step(one.path("options").path("lr").doubleValue(), loss, valley::loss);
                double[] values = Tensors.doubles(valley.parameters.values());
                for (int i = 0; i < values.length; i++) {
                    assertThat(values[i])
                            .as("%s, step %d, value %d", one.path("options"), step, i)
                            .isCloseTo(one.path("values").get(step).get(i).doubleValue(), offset(1e-7));
                }
            }
            assertThat(optimizer.steps()).isEqualTo(4);
        }
    }

    private static float[] wave(int count, double start, boolean cosine) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (cosine ? Math.cos(0.7 * i * i + start) : Math.sin(0.7 * i * i + start));
        }
        return values;
    }

    @Test
    void thePreconditionerOfLoraIsThatOfPeft() {
        for (JsonNode one : GOLDENS.path("riemannian")) {
            JsonNode options = one.path("options");
            Map<String, Tensor> given = new LinkedHashMap<>();
            given.put("base.lora_A.weight", Tensors.of(wave(36, 1, false), 4, 9).set_requires_grad(true));
            given.put("base.lora_B.weight", Tensors.of(wave(24, 2, true), 6, 4).set_requires_grad(true));
            given.put("base.other", Tensors.of(wave(5, 0, true), 5).set_requires_grad(true));
            FlatParameters parameters = new FlatParameters(given);
            AdamW.Settings adamw = new AdamW.Settings(
                    0.9, 0.999, 1e-8, options.path("weight_decay").asDouble(0));
            Optimizer optimizer =
                    new RiemannianAdamW.Settings(adamw, options.path("reg").doubleValue()).of(parameters);
            for (int step = 0; step < one.path("values").size(); step++) {
                for (String name : given.keySet()) {
                    Tensor gradient = parameters.gradient(name);
                    float[] values = new float[(int) gradient.numel()];
                    for (int k = 0; k < values.length; k++) {
                        values[k] = (float) Math.sin(k * 0.9 + step);
                    }
                    set(gradient.view(-1), values);
                }
                optimizer.step(options.path("lr").doubleValue());
                assertThat(Tensors.floats(parameters.values()))
                        .as("%s, step %d", options, step)
                        .containsExactly(floats(one.path("values").get(step)), offset(2e-5f));
            }
        }
        assertThatThrownBy(() -> new RiemannianAdamW.Settings(AdamW.Settings.DEFAULT, 1e-2).of(parameters()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("this adapter trains no such pair");
    }
}
