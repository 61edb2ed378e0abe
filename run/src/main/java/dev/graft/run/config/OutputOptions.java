package dev.graft.run.config;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The files that a run writes, and their folder. */
public record OutputOptions(
        @ConfigOption(
                value = "Folder of the run: adapter, checkpoints, logs, report",
                byDefault = "runs/graft",
                example = "runs/minilm",
                aliases = {"out_dir", "adapter_path"})
        String outputDir,

        @ConfigOption(value = "Replace what an earlier run left in output_dir", byDefault = "false", example = "true")
        boolean overwriteOutputDir,

        @ConfigOption(
                value = "Checkpoint to go on from: auto takes the newest in output_dir, never refuses, or a path",
                byDefault = "auto",
                example = "runs/minilm/checkpoint-100")
        String resume,

        @ConfigOption(
                value = "Optimiser steps between checkpoints",
                unset = "each epoch",
                example = "100",
                aliases = {"save_every", "save_every_n_steps", "train.save_interval"},
                min = 1)
        @Nullable
        Integer saveSteps,

        @ConfigOption(value = "Checkpoints kept, the best one apart", byDefault = "2", example = "1", min = 1)
        int saveTotalLimit,

        @ConfigOption(
                value = "Optimiser steps between lines of the log",
                byDefault = "10",
                example = "1",
                aliases = {"steps_per_report", "log_every_n_steps", "train.log_interval"},
                min = 1)
        int loggingSteps,

        @ConfigOption(
                value = "Logs to write",
                byDefault = "[csv, jsonl, tensorboard]",
                example = "[csv]",
                aliases = {"logger_name"})
        List<Log> reportTo,

        @ConfigOption(
                value = "Print config, plan, memory estimate and three samples, and stop before training",
                byDefault = "false",
                example = "true")
        boolean dryRun,

        @ConfigOption(
                value = "Try learning rates from small to large, print the losses and a suggestion, and stop",
                byDefault = "false",
                example = "true")
        boolean findLr) {

    public enum Log {
        CSV,
        JSONL,
        TENSORBOARD
    }
}
