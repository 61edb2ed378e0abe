package dev.graft.run.config;

import org.jspecify.annotations.Nullable;

/** The options of knowledge distillation from a teacher. */
public record DistillationOptions(
        @ConfigOption(
                value = "Base whose answers are learnt beside the labels, by its tokens or classes, as model names one",
                unset = "the run's own base where distillation.adapter is given, else no teacher",
                example = "file:models/larger",
                aliases = {"teacher_model", "teacher_model_name_or_path"})
        @Nullable
        String teacher,

        @ConfigOption(value = "Adapter of the teacher", unset = "none", example = "runs/larger/adapter") @Nullable
        String adapter,

        @ConfigOption(
                value = "How much both distributions are softened",
                unset = "2",
                example = "4",
                aliases = {"kd_temperature"},
                above = 0)
        @Nullable
        Double temperature,

        @ConfigOption(
                value = "Share of the loss that the teacher has; 1 leaves the labels out",
                unset = "0.5",
                example = "0.9",
                aliases = {"kd_ratio"},
                above = 0,
                max = 1)
        @Nullable
        Double weight) {}
