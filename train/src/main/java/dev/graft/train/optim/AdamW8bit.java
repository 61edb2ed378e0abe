package dev.graft.train.optim;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.DynamicQuantization.QuantizedValues;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * {@link AdamW} whose moments are kept in 8 bits between steps, as in bitsandbytes: the first in a signed {@link DynamicQuantization}, the
 * second in an unsigned one. Small parameters keep their moments in fp32.
 */
public final class AdamW8bit implements Optimizer {
    private static final DynamicQuantization SIGNED = DynamicQuantization.of(true);
    private static final DynamicQuantization UNSIGNED = DynamicQuantization.of(false);

    private final FlatParameters parameters;
    private final Settings settings;
    private final Map<String, Tensor> exact = new LinkedHashMap<>();
    private final Map<String, QuantizedValues> quantized = new LinkedHashMap<>();
    private long steps;

    /**
     * AdamW's settings and the limit for quantisation.
     *
     * @param smallest the least number of values for 8 bits; smaller parameters keep fp32
     */
    public record Settings(AdamW.Settings adamw, int smallest) implements Optimizer.Settings {
        /** The default of bitsandbytes' {@code min_8bit_size}. */
        public static final int SMALLEST = 4096;

        @Override
        public AdamW8bit of(FlatParameters parameters) {
            return new AdamW8bit(parameters, this);
        }

        @Override
        public long stateBytes(long values) {
            return 2 * (values + Float.BYTES * values / DynamicQuantization.BLOCK);
        }
    }

    public AdamW8bit(FlatParameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
        try (Scope scope = new Scope()) {
            parameters.parameters().forEach((name, parameter) -> {
                long values = parameter.numel();
                if (values < settings.smallest) {
                    exact.put("exp_avg." + name, scope.release(Tensors.zeros(parameter.scalar_type(), values)));
                    exact.put("exp_avg_sq." + name, scope.release(Tensors.zeros(parameter.scalar_type(), values)));
                } else {
                    quantized.put("exp_avg." + name, QuantizedValues.zeros(SIGNED, values));
                    quantized.put("exp_avg_sq." + name, QuantizedValues.zeros(UNSIGNED, values));
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
            AdamW.Settings adamw = settings.adamw;
            double decay = group.weightDecay(adamw.weightDecay());
            if (decay != 0) {
                group.decayed(adamw.decay(), parameters.values()).mul_(new Scalar(1 - rate * decay));
            }
            group.names().forEach(name -> step(name, rate, step));
        });
    }

    private void step(String name, double rate, long step) {
        try (Scope scope = new Scope()) {
            Tensor p = parameters.value(name).detach().view(-1);
            Tensor g = parameters.gradient(name).view(-1);
            QuantizedValues first = quantized.get("exp_avg." + name);
            QuantizedValues second = quantized.get("exp_avg_sq." + name);
            Tensor mean = first == null ? exactly("exp_avg." + name) : SIGNED.dequantize(first, p.numel());
            Tensor square = second == null ? exactly("exp_avg_sq." + name) : UNSIGNED.dequantize(second, p.numel());
            settings.adamw.apply(p, g, mean, square, rate, step);
            if (first != null && second != null) {
                SIGNED.quantize(mean, first);
                UNSIGNED.quantize(square, second);
            }
        }
    }

    private Tensor exactly(String moment) {
        return Objects.requireNonNull(exact.get(moment));
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>(exact);
        quantized.forEach((name, moment) -> {
            state.put(name, moment.codes());
            state.put(name.replaceFirst("\\.", "_largest."), moment.largest());
        });
        return state;
    }

    @Override
    public void restore(long stepsDone, Map<String, Tensor> saved) {
        steps = stepsDone;
        state().forEach((name, into) -> Optimizer.copy(saved, name, into));
    }
}
