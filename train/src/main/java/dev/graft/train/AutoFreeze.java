package dev.graft.train;

import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.optim.FlatParameters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * AutoFreeze (Liu, Agarwal and Venkataraman, 2021). It freezes layers that have stopped changing, from the input upwards, so that the
 * backward pass ends above them. At the end of every interval it sums each layer's gradients and compares them with the interval before:
 * {@code η = |‖Δ'‖ - ‖Δ‖| / ‖Δ'‖}. The leading layers whose η is at most the given percentile of all layers that still learn are frozen for
 * good; the last layer never is.
 */
public final class AutoFreeze {
    private final Settings settings;
    private final FlatParameters parameters;

    /** Names of the trained parameters of each layer. */
    private final NavigableMap<Integer, List<String>> layers = new TreeMap<>();

    /** Sum of all gradients since the interval began, {@code [count]}. */
    private final Tensor sum;

    /** The number of frozen layers, then the norm of each layer in the interval before, NaN in the first. */
    private final Tensor numbers;

    /**
     * The interval between two checks, and the layers to freeze at each.
     *
     * @param percentile in (0, 100]; 50 in the paper
     * @param interval the number of optimiser steps between two checks; 0 for a quarter of an epoch
     */
    record Settings(double percentile, int interval) {}

    AutoFreeze(Settings settings, int stepsPerEpoch, Adapter adapter, FlatParameters parameters) {
        this.settings =
                settings.interval > 0 ? settings : new Settings(settings.percentile, Math.max(1, stepsPerEpoch / 4));
        this.parameters = parameters;
        for (String name : parameters.parameters().keySet()) {
            int layer = layer(adapter, name);
            if (layer >= 0) {
                layers.computeIfAbsent(layer, any -> new ArrayList<>()).add(name);
            }
        }
        double[] start = new double[1 + layers.size()];
        Arrays.fill(start, 1, start.length, Double.NaN);
        try (Scope scope = new Scope()) {
            Tensor values = parameters.values();
            sum = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
            numbers = scope.release(Tensors.zeros(ScalarType.Double, start.length));
        }
        Tensors.fill(numbers, start);
    }

    /**
     * Creates it from the settings of a run; null if they freeze nothing.
     *
     * @param stepsPerEpoch optimiser steps in an epoch
     */
    public static @Nullable AutoFreeze of(
            Economy economy, int stepsPerEpoch, Adapter adapter, FlatParameters parameters) {
        return economy.freezePercentile() == 0
                ? null
                : new AutoFreeze(
                        new Settings(economy.freezePercentile(), economy.freezeSteps()),
                        stepsPerEpoch,
                        adapter,
                        parameters);
    }

    /** The layer of the site whose name a parameter's has; -1 for none. */
    private static int layer(Adapter adapter, String parameter) {
        String longest = "";
        int layer = -1;
        for (Site site : adapter.base().sites()) {
            String name = site.name();
            boolean within = parameter.startsWith(name + ".") || parameter.contains("." + name + ".");
            if (within && name.length() > longest.length()) {
                longest = name;
                layer = site.layer();
            }
        }
        return layer;
    }

    /**
     * Returns the tensors for a checkpoint: the summed gradients, {@code [count]}, and the norms, {@code [1 + layers]}.
     */
    Map<String, Tensor> state() {
        return Map.of("freeze_sum", sum, "freeze_numbers", numbers);
    }

    /** Returns the names of the frozen parameters. */
    public Set<String> frozen() {
        int count = (int) Tensors.doubles(numbers)[0];
        Set<String> names = new TreeSet<>();
        layers.values().stream().limit(count).forEach(names::addAll);
        return names;
    }

    /**
     * Adds the gradients of a step to the sums and, at the end of an interval, freezes layers.
     *
     * @param step the number of the step, from 1
     * @return true if further parameters are frozen from now on
     */
    public boolean observe(long step) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            sum.add_(parameters.gradients());
        }
        return step % settings.interval == 0 && freeze();
    }

    private boolean freeze() {
        double[] before = Tensors.doubles(numbers);
        double[] after = before.clone();
        Map<Integer, Double> changes = new LinkedHashMap<>();
        int index = 0;
        for (List<String> names : layers.values()) {
            after[1 + index] = norm(names);
            if (index >= before[0]) {
                changes.put(index, Math.abs(before[1 + index] - after[1 + index]) / before[1 + index]);
            }
            index++;
        }
        double bound = percentile(changes.values().stream()
                .mapToDouble(Double::doubleValue)
                .sorted()
                .toArray());
        int frozen = (int) before[0];
        while (frozen < layers.size() - 1 && changes.getOrDefault(frozen, Double.NaN) <= bound) {
            frozen++;
        }
        after[0] = frozen;
        Tensors.fill(numbers, after);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            sum.zero_();
        }
        return frozen > before[0];
    }

    /** Between neighbours, as numpy does; NaN where one is. */
    private double percentile(double[] sorted) {
        double place = settings.percentile / 100 * (sorted.length - 1);
        int low = (int) Math.floor(place);
        int high = (int) Math.ceil(place);
        return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
    }

    private double norm(List<String> names) {
        double squares = 0;
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (String name : names) {
                double one = Tensors.item(parameters.within(name, sum).norm());
                squares += one * one;
            }
        }
        return Math.sqrt(squares);
    }
}
