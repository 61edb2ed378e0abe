package dev.graft.run.config;

/**
 * The options of LoRA and its variants that have a default here, written as {@code lora.r} or {@code dora.r}. Other options are passed on
 * to the method.
 *
 * @param targetModules a String ({@code all-linear} or a regular expression) or a List of suffixes
 */
record LoraOptions(
        @ConfigOption(
                value = "Rank of the update of a weight",
                byDefault = "16",
                example = "8",
                aliases = {"rank", "r", "lora_rank", "lora_r", "lora_parameters.rank"},
                min = 1)
        int r,

        @ConfigOption(
                value = "Scale: the update counts alpha / r times",
                unset = "2 x r",
                example = "32",
                aliases = {"alpha", "lora_alpha", "lora_parameters.alpha"},
                above = 0)
        Double alpha,

        @ConfigOption(
                value = "Dropout on the input of the update",
                byDefault = "0.0",
                example = "0.05",
                aliases = {"lora_dropout", "lora_parameters.dropout"},
                min = 0,
                below = 1)
        double dropout,

        @ConfigOption(
                value = "Linear layers to adapt: all-linear, name suffixes, or a regular expression",
                byDefault = "all-linear",
                example = "[q_proj, v_proj]",
                aliases = {
                    "targets",
                    "target_modules",
                    "lora_target_modules",
                    "lora_attn_modules",
                    "lora_parameters.keys"
                })
        Object targetModules) {}
