package dev.graft.train.optim;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Adafactor (Shazeer and Stern, 2018) as in transformers: the second moment of a matrix is kept as the means R of its rows and C of its
 * columns, {@code v ≈ R Cᵀ / mean(R)}, with {@code β₂ = 1 - t^decayRate}. The update {@code g / √v} is scaled down where its root mean square
 * is above the clip threshold. Vectors keep a whole second moment.
 */
public final class Adafactor implements Optimizer {
    private final FlatParameters parameters;
    private final Settings settings;
    private final Map<String, Tensor> state = new LinkedHashMap<>();
    private long steps;

    /**
     * Settings; the defaults are those of transformers' trainers, which use the run's learning rate.
     *
     * @param gradientEps the constant added to squared gradients
     * @param scaleEps the least scale of a parameter
     * @param beta1 the decay of a first moment of the updates; null for none
     * @param scaleParameter true to multiply the learning rate by the root mean square of a parameter
     * @param relativeStep true for a learning rate of {@code min(0.01, 1/√t)} in place of the run's
     * @param warmupInit true to start the relative rate with {@code 1e-6 · t} in place of 0.01
     */
    @RecordBuilder
    public record Settings(
            double gradientEps,
            double scaleEps,
            double clipThreshold,
            double decayRate,
            @Nullable Double beta1,
            boolean scaleParameter,
            boolean relativeStep,
            boolean warmupInit,
            double weightDecay,
            FlatParameters.Decay decay)
            implements Optimizer.Settings, AdafactorSettingsBuilder.With {
        public static final Settings DEFAULT = AdafactorSettingsBuilder.builder()
                .gradientEps(1e-30)
                .scaleEps(1e-3)
                .clipThreshold(1)
                .decayRate(-0.8)
                .decay(FlatParameters.Decay.MATRICES)
                .build();

        /** @throws dev.graft.formats.InputException naming the setting that is out of range */
        public Settings {
            Optimizer.require("eps1", gradientEps, gradientEps > 0 && gradientEps < 1, "above 0 and below 1");
            Optimizer.require("eps2", scaleEps, scaleEps > 0 && scaleEps < 1, "above 0 and below 1");
            Optimizer.require("clip_threshold", clipThreshold, clipThreshold > 0, "above 0");
            Optimizer.require("decay_rate", decayRate, decayRate < 0 && decayRate >= -1, "below 0 and at least -1");
            if (beta1 != null) {
                Optimizer.require("beta1", beta1, beta1 >= 0 && beta1 < 1, "0 or more and below 1");
            }
            Optimizer.require("warmup_init", 1, !warmupInit || relativeStep, "false where relative_step is false");
            Optimizer.require("weight_decay", weightDecay, weightDecay >= 0 && weightDecay < 1000, "0 or more");
        }

        @Override
        public Adafactor of(FlatParameters parameters) {
            return new Adafactor(parameters, this);
        }

        /** Returns the size of the first moments, 0 without them. The means of rows and columns are negligible. */
        @Override
        public long stateBytes(long values) {
            return beta1 == null ? 0 : Float.BYTES * values;
        }
    }

    public Adafactor(FlatParameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
        try (Scope scope = new Scope()) {
            parameters.parameters().forEach((name, parameter) -> {
                ScalarType type = parameter.scalar_type();
                long[] shape = Tensors.shape(parameter);
                int last = shape.length - 1;
                if (last >= 1) {
                    long[] columns = Arrays.copyOf(shape, last);
                    columns[last - 1] = shape[last];
                    state.put("row." + name, scope.release(Tensors.zeros(type, Arrays.copyOf(shape, last))));
                    state.put("column." + name, scope.release(Tensors.zeros(type, columns)));
                } else {
                    state.put("square." + name, scope.release(Tensors.zeros(type, shape)));
                }
                if (settings.beta1 != null) {
                    state.put("exp_avg." + name, scope.release(Tensors.zeros(type, shape)));
                }
            });
        }
    }

    @Override
    public FlatParameters parameters() {
        return parameters;
    }

    @Override
    public void step(double learningRate) {
        parameters.update(++steps, learningRate, (group, rate, step) -> {
            double relative = group.rate().factor()
                    * Math.min(settings.warmupInit ? 1e-6 * step : 1e-2, 1 / Math.sqrt((double) step));
            double decay = group.weightDecay(settings.weightDecay);
            for (String name : group.names()) {
                boolean decays =
                        group.decays(settings.decay, parameters.value(name).dim());
                step(name, settings.relativeStep ? relative : rate, decays ? decay : 0, step);
            }
        });
    }

    private void step(String name, double rate, double weightDecay, long step) {
        Tensor p = parameters.value(name).detach();
        Tensor g = parameters.gradient(name);
        double scaled = settings.scaleParameter ? Math.max(settings.scaleEps, rms(p)) * rate : rate;
        Tensor squares = g.mul(g).add_(new Scalar(settings.gradientEps));
        double beta2 = 1 - Math.pow(step, settings.decayRate);
        Tensor update = inverseRoot(name, squares, beta2).mul_(g);
        update.mul_(new Scalar(scaled / Math.max(1, rms(update) / settings.clipThreshold)));
        Tensor mean = state.get("exp_avg." + name);
        if (settings.beta1 != null && mean != null) {
            update = mean.mul_(new Scalar(settings.beta1)).add_(update, new Scalar(1 - settings.beta1));
        }
        if (weightDecay != 0) {
            p.mul_(new Scalar(1 - weightDecay * scaled));
        }
        p.sub_(update);
    }

    /** {@code 1 / √v} after the squares of this step. */
    private Tensor inverseRoot(String name, Tensor squares, double beta2) {
        Tensor square = state.get("square." + name);
        if (square != null) {
            return average(square, squares, beta2).rsqrt();
        }
        Tensor row = average(of("row.", name), Ops.mean(squares, -1, false), beta2);
        Tensor column = average(of("column.", name), Ops.mean(squares, -2, false), beta2);
        return row.div(Ops.mean(row, -1, true))
                .rsqrt_()
                .unsqueeze(-1)
                .mul(column.unsqueeze(-2).rsqrt());
    }

    private Tensor of(String kind, String name) {
        return Objects.requireNonNull(state.get(kind + name));
    }

    private static Tensor average(Tensor mean, Tensor values, double beta) {
        return mean.mul_(new Scalar(beta)).add_(values, new Scalar(1 - beta));
    }

    private static double rms(Tensor x) {
        return Tensors.item(x.norm()) / Math.sqrt(x.numel());
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        return state;
    }

    @Override
    public void restore(long stepsDone, Map<String, Tensor> saved) {
        steps = stepsDone;
        state.forEach((name, into) -> Optimizer.copy(saved, name, into));
    }
}
