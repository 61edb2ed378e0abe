package dev.graft.eval.compare;

import dev.graft.eval.compare.Footprint.Latency;
import dev.graft.eval.compare.Footprint.MemoryFootprint;
import dev.graft.eval.compare.Footprint.Modularity;
import dev.graft.eval.cost.Machine;
import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FileTree;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Parameter;
import dev.graft.peft.Selection;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.LossFunction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Measures what a method costs. The process should have done nothing else before: its peak memory is part of it. */
final class FootprintMeasurement {
    private static final int STEPS = 8;
    private static final int LATENCY_ROWS = 15;
    private static final int WARM_UP_ROWS = 3;

    /** Writing 5 sets the peak back to what is resident now (proc(5)). */
    private static final Path CLEAR_PEAK = Path.of("/proc/self/clear_refs");

    private final Experiment experiment;
    private final TrialRunner trials;

    FootprintMeasurement(Experiment experiment) {
        this.experiment = experiment;
        this.trials = new TrialRunner(experiment, () -> false);
    }

    /**
     * Trains a few steps, saves, merges where it can, and times single rows.
     *
     * @throws InputException if the method doesn't fit the base
     */
    Footprint measure(ComparisonEntry entry) {
        Base base = experiment.base();
        InferenceSetup frozen = new InferenceSetup(base, Hooks.NONE);
        Latency alone = latencies(List.of(frozen)).get(0);
        if (!(entry instanceof ComparisonEntry.Trained trained)) {
            return new Footprint(
                    entry.name(),
                    trials.key(entry),
                    0,
                    base.parameterCount(),
                    0,
                    0,
                    0,
                    new MemoryFootprint(base.parameterBytes(), 0, 0, 0, 0, 0),
                    alone,
                    null,
                    null,
                    null,
                    Natives.threads(),
                    Machine.read().toJson());
        }
        Adapter adapter = trials.adapter(trained, experiment.settings().seed());
        StepTimer steps = new StepTimer();
        long before = resident();
        clearPeak();
        trials.train(
                adapter, experiment.settings().withMaxSteps(STEPS).withLearningRate(trained.learningRate()), steps);
        long trainable = adapter.trainableCount();
        long peak = orZero(ProcessMemory.peakResident().value());
        long gradients = trainable * Float.BYTES;
        MemoryFootprint memory = new MemoryFootprint(
                base.parameterBytes(),
                adapter.parameters().values().stream()
                        .mapToLong(FootprintMeasurement::bytes)
                        .sum(),
                gradients,
                2 * gradients,
                peak,
                Math.max(0, peak - before - 3 * gradients));
        Base merged = merged(adapter);
        List<InferenceSetup> ways = new ArrayList<>(List.of(
                frozen,
                new InferenceSetup(
                        adapter.base(), Selection.of(adapter.freeze()).hooks())));
        if (merged != null) {
            ways.add(new InferenceSetup(merged, Hooks.NONE));
        }
        List<Latency> latencies = latencies(ways);
        try {
            Path folder = Files.createTempDirectory("graft-compare");
            try {
                adapter.save(folder.resolve("adapter"));
                return new Footprint(
                        entry.name(),
                        trials.key(entry),
                        trainable,
                        adapter.totalCount(),
                        FileTree.bytes(folder.resolve("adapter")),
                        steps.median(),
                        steps.tokensPerSecond(),
                        memory,
                        latencies.get(0),
                        latencies.get(1),
                        merged == null ? null : latencies.get(2),
                        modularity(trained, adapter, folder.resolve("adapter")),
                        Natives.threads(),
                        Machine.read().toJson());
            } finally {
                AtomicWrite.delete(folder);
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot save the adapter for a while", e);
        }
    }

    private static @Nullable Base merged(Adapter adapter) {
        if (!adapter.method().type().capabilities().mergeable()) {
            return null;
        }
        try {
            return Merge.merge(adapter);
        } catch (InputException settingsThatDoNot) {
            return null;
        }
    }

    private Modularity modularity(ComparisonEntry.Trained entry, Adapter adapter, Path folder) {
        Base base = adapter.base();
        Inputs rows = LossFunction.inputs(experiment.test().batch(new int[] {0, 1, 2}, 0));
        float[] alone = logits(base, rows, Hooks.NONE);
        float[] adapted = logits(base, rows, Selection.of(adapter).hooks());
        boolean detaches = Arrays.equals(alone, logits(base, rows, Hooks.NONE));
        Adapter other = trials.adapter(entry, experiment.settings().seed() + 1);
        float[] others = logits(other.base(), rows, Selection.of(other).hooks());
        boolean swaps =
                Arrays.equals(adapted, logits(base, rows, Selection.of(adapter).hooks()));
        boolean besides =
                other.base() == base && mixesRows(base, rows, adapter, other, List.of(adapted, alone, others));
        float[] loaded = logits(
                base,
                rows,
                Selection.of(Adapter.load(experiment.base(), folder)).hooks());
        return new Modularity(detaches, swaps, besides, close(adapted, loaded));
    }

    /** Returns whether the three rows of a batch, one with each of two adapters and one with none, are answered as alone. */
    private boolean mixesRows(Base base, Inputs rows, Adapter adapter, Adapter other, List<float[]> alone) {
        try {
            float[] mixed = logits(
                    base,
                    rows,
                    Selection.rows(Selection.of(adapter), Selection.BASE, Selection.of(other))
                            .hooks());
            int width = mixed.length / 3;
            for (int row = 0; row < 3; row++) {
                float[] expected = Arrays.copyOfRange(alone.get(row), row * width, (row + 1) * width);
                if (!close(expected, Arrays.copyOfRange(mixed, row * width, (row + 1) * width))) {
                    return false;
                }
            }
            return true;
        } catch (InputException | IllegalArgumentException refused) {
            return false;
        }
    }

    private static boolean close(float[] a, float[] b) {
        double most = 0;
        double difference = 0;
        for (int i = 0; i < a.length; i++) {
            most = Math.max(most, Math.abs(a[i]));
            difference = Math.max(difference, Math.abs(a[i] - b[i]));
        }
        // Sums in another order: fp32 rounds at 1e-7, a bf16 product at 1e-2 of the largest value.
        return a.length == b.length && difference <= 2e-2 * most;
    }

    private static float[] logits(Base base, Inputs rows, Hooks hooks) {
        try (InferenceScope mode = new InferenceScope();
                Scope scope = new Scope()) {
            return Tensors.floats(base.logits(rows, ForwardPass.inference(hooks)));
        }
    }

    /** A base, and what acts on it. */
    private record InferenceSetup(Base base, Hooks hooks) {}

    /** Returns the latencies of single test rows, from the shortest to the longest. The setups take turns, so that none meets a colder machine. */
    private List<Latency> latencies(List<InferenceSetup> ways) {
        Examples test = experiment.test();
        int[] lengths = test.lengths();
        List<Integer> ordered = IntStream.range(0, lengths.length)
                .boxed()
                .sorted(Comparator.comparingInt(row -> lengths[row]))
                .toList();
        int count = Math.min(LATENCY_ROWS, ordered.size());
        double[][] seconds = new double[ways.size()][count];
        for (int i = -WARM_UP_ROWS; i < count; i++) {
            int row = ordered.get((int) ((long) Math.floorMod(i, count) * ordered.size() / count));
            Inputs inputs = LossFunction.inputs(test.batch(new int[] {row}, 0));
            for (int way = 0; way < ways.size(); way++) {
                double took = seconds(ways.get(way), inputs);
                if (i >= 0) {
                    seconds[way][i] = took;
                }
            }
        }
        return Arrays.stream(seconds).map(FootprintMeasurement::latency).toList();
    }

    /** The faster of two times, since other programs can only slow one down. */
    private static double seconds(InferenceSetup way, Inputs inputs) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < 2; i++) {
            long start = System.nanoTime();
            logits(way.base, inputs, way.hooks);
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        }
        return best;
    }

    private static Latency latency(double[] seconds) {
        Arrays.sort(seconds);
        int last = seconds.length - 1;
        return new Latency(
                seconds[seconds.length / 2], seconds[Math.min(last, (int) Math.ceil(0.95 * (last + 1)) - 1)]);
    }

    private static long bytes(Parameter parameter) {
        return bytes(parameter.value());
    }

    private static long bytes(Tensor tensor) {
        return tensor.numel() * tensor.element_size();
    }

    private static long resident() {
        return orZero(ProcessMemory.resident().value());
    }

    private static long orZero(@Nullable Long value) {
        return value == null ? 0 : value;
    }

    private static void clearPeak() {
        try {
            Files.writeString(CLEAR_PEAK, "5");
        } catch (IOException notAllowed) {
            // The peak is then that since the start, loading included.
        }
    }
}
