package dev.graft.run.config;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The rows of a step, and the length of a run. */
public record ScheduleOptions(
        @ConfigOption(
                value = "Rows per forward pass",
                unset = "32 to classify, 4 for preferences, else 8",
                example = "16",
                aliases = {"train.micro_batch_size", "micro_batch_size", "per_device_train_batch_size", "batch"},
                min = 1)
        @Nullable
        Integer batchSize,

        @ConfigOption(
                value = "Rows per forward pass in evaluation",
                unset = "as batch_size",
                example = "64",
                aliases = {"per_device_eval_batch_size"},
                min = 1)
        @Nullable
        Integer evalBatchSize,

        @ConfigOption(
                value = "Forward passes per optimiser step",
                byDefault = "1",
                example = "4",
                aliases = {"grad_accumulation_steps"},
                min = 1)
        int gradientAccumulationSteps,

        @ConfigOption(
                value = "Put rows of similar length into one batch, which saves padding",
                byDefault = "true",
                example = "false")
        boolean groupByLength,

        @ConfigOption(
                value = "Put rows one after another up to max_seq_length, none seeing another: less padding, the same"
                        + " loss",
                byDefault = "false",
                example = "true",
                aliases = {"dataset.packed", "neat_packing", "sample_packing"})
        boolean packing,

        @ConfigOption(
                value = "Passes over the training rows",
                unset = "3, or no limit where max_steps or max_time is given",
                example = "2",
                aliases = {"num_train_epochs", "num_epochs", "train.epochs"},
                min = 1)
        @Nullable
        Integer epochs,

        @ConfigOption(
                value = "Optimiser steps after which training stops",
                unset = "no limit",
                example = "500",
                aliases = {"iters", "train.max_steps", "steps"},
                min = 1)
        @Nullable
        Integer maxSteps,

        @ConfigOption(
                value = "Time after which training stops, in seconds or as 90s, 30m, 2h",
                unset = "no limit",
                example = "30m",
                aliases = {"train.max_time"})
        @Nullable
        Duration maxTime) {}
