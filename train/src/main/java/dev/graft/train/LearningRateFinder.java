package dev.graft.train;

import dev.graft.peft.Adapter;
import dev.graft.peft.TrainingRule;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.data.BatchSampler;
import dev.graft.train.data.Examples;
import dev.graft.train.optim.FlatParameters;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The learning rate range test (Smith, 2017, "Cyclical Learning Rates for Training Neural Networks"): the rate grows by the same factor at
 * each step. The loss first stays, then falls, and jumps where the rate is too large.
 *
 * <pre>{@code
 * LearningRateFinder.Result found = new LearningRateFinder(settings, adapter, examples).run(1e-6, 1, 100, () -> false);
 * Double suggestion = found.suggestion();
 * }</pre>
 *
 * @param adapter the adapter to train; the test changes its parameters
 */
public record LearningRateFinder(TrainSettings settings, Adapter adapter, Examples examples) {
    private static final double KEEP = 0.9;
    private static final double DIVERGED = 4;
    private static final int WARM = 5;

    /**
     * One step of the test.
     *
     * @param smooth the exponential moving average of the losses so far, with a decay of 0.9
     */
    public record Point(double rate, double loss, double smooth) {}

    /**
     * The result of the test.
     *
     * @param suggestion the rate at which the smooth loss falls fastest; null if it never falls
     * @param lowest the rate of the lowest smooth loss
     */
    public record Result(List<Point> points, @Nullable Double suggestion, double lowest) {}

    /**
     * Trains with rising rates until the smooth loss is four times its lowest value.
     *
     * @param from the rate of the first step
     * @param to the rate of the last step
     * @param steps the maximum number of steps
     * @param interrupted true once the test must end
     * @throws TrainingException if the first losses already aren't finite
     */
    public Result run(double from, double to, int steps, BooleanSupplier interrupted) {
        TrainSettings tested = settings.withOptimization(settings.optimization().withLossSpike(0))
                .withEconomy(Economy.NONE.withCheckpointing(settings.economy().checkpointing()));
        TrainPlan plan = TrainPlan.of(tested, examples.size());
        double usual = tested.optimization().learningRate();
        TrainingRule rule = adapter.method()
                .trainingRule(
                        adapter,
                        new TrainingRule.Run(
                                Math.max(plan.totalSteps(), steps), plan.stepsPerEpoch(), usual, tested.seed()));
        FlatParameters parameters = ParameterGroup.flatten(
                adapter,
                tested.optimization().groups(),
                tested.optimization().learningRate(),
                tested.optimization().headRate(),
                rule);
        List<Point> points = new ArrayList<>();
        try (Stepper stepper = new Stepper(
                tested,
                plan,
                adapter,
                examples,
                tested.optimization().optimizer().of(parameters),
                rule,
                null)) {
            Batches batches = new Batches(tested, examples);
            rule.begin(look -> stepper.visitGradients(batches.first(), look, () -> false));
            double mean = 0;
            double best = Double.POSITIVE_INFINITY;
            for (int i = 0; i < steps && !interrupted.getAsBoolean(); i++) {
                double rate = from * Math.pow(to / from, i / Math.max(1.0, steps - 1.0));
                double loss =
                        stepper.step(i + 1L, batches.next(), rate, () -> false).loss();
                if (!Double.isFinite(loss)) {
                    break;
                }
                mean = KEEP * mean + (1 - KEEP) * loss;
                double smooth = mean / (1 - Math.pow(KEEP, i + 1.0));
                points.add(new Point(rate, loss, smooth));
                best = Math.min(best, smooth);
                if (smooth > DIVERGED * best) {
                    break;
                }
            }
        }
        if (points.isEmpty()) {
            throw new TrainingException("no loss of the first steps is finite; look at the rows, or take dtype fp32");
        }
        return result(points);
    }

    private static Result result(List<Point> points) {
        int lowest = 0;
        for (int i = 1; i < points.size(); i++) {
            if (points.get(i).smooth < points.get(lowest).smooth) {
                lowest = i;
            }
        }
        Double suggestion = null;
        double steepest = 0;
        for (int i = WARM; i < lowest; i++) {
            double slope = points.get(i + 1).smooth - points.get(i - 1).smooth;
            if (slope < steepest) {
                steepest = slope;
                suggestion = points.get(i).rate;
            }
        }
        return new Result(points, suggestion, points.get(lowest).rate);
    }

    /** The batches of a run, pass after pass. */
    private static final class Batches {
        private final BatchSampler sampler;
        private final int accumulation;
        private int epoch;
        private int at;

        Batches(TrainSettings settings, Examples examples) {
            TrainSettings.Batching batching = settings.batching();
            sampler = new BatchSampler(
                    examples.lengths(), batching.size(), batching.order(), settings.seed(), batching.longestFirst());
            accumulation = batching.accumulation();
        }

        int[][] first() {
            return sampler.epoch(0);
        }

        List<int[]> next() {
            int[][] batches = sampler.epoch(epoch);
            int end = Math.min(at + accumulation, batches.length);
            List<int[]> rows = List.of(batches).subList(at, end);
            at = end == batches.length ? 0 : end;
            epoch += at == 0 ? 1 : 0;
            return rows;
        }
    }
}
