package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.LearningRate;
import dev.graft.train.TrainSettings.Limits;
import dev.graft.train.schedules.Schedule;

/**
 * The numbers of batches, steps and epochs that follow from the settings and the number of rows.
 *
 * @param stepsPerEpoch optimiser steps; the last one of an epoch may see fewer rows
 * @param totalSteps optimiser steps of the whole run
 * @param epochs passes over the rows; a fraction if the last one ends early
 * @param warmupSteps optimiser steps during which the learning rate rises
 */
public record TrainPlan(
        int rows, int batchesPerEpoch, int stepsPerEpoch, int totalSteps, double epochs, int warmupSteps) {

    /**
     * Computes the plan of a run.
     *
     * @throws InputException if the run would have more steps than an int can count, or warms up for longer than it lasts
     */
    public static TrainPlan of(TrainSettings settings, int rows) {
        Batching batching = settings.batching();
        Limits limits = settings.limits();
        int batches = divideUp(rows, batching.size());
        int perEpoch = divideUp(batches, batching.accumulation());
        double total = limits.maxSteps() > 0 ? limits.maxSteps() : Math.ceil(limits.epochs() * perEpoch);
        if (total > Integer.MAX_VALUE) {
            throw new InputException(
                    "the run would have " + (long) total + " steps, at most 2,147,483,647 are possible");
        }
        LearningRate rate = settings.optimization().schedule();
        int warmup =
                rate.warmupSteps() > 0 ? rate.warmupSteps() : Schedule.warmupSteps(rate.warmupRatio(), (int) total);
        return new TrainPlan(rows, batches, perEpoch, (int) total, total / perEpoch, warmup);
    }

    private static int divideUp(int a, int b) {
        return (int) (((long) a + b - 1) / b);
    }

    /** Creates the schedule of the learning rate, a factor for each step. */
    Schedule schedule(TrainSettings settings) {
        return settings.optimization()
                .schedule()
                .create(totalSteps, warmupSteps, settings.optimization().learningRate());
    }
}
