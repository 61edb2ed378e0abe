package dev.graft.run.config;

import dev.graft.run.config.YamlValue.Scalar;
import dev.graft.run.config.YamlValue.Sequence;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Options of other trainers (torchtune, LitGPT, mlx-lm, LLaMA-Factory, Axolotl, ms-swift, TRL) whose values mean something else
 * here or that have no counterpart. Options that differ by name alone are aliases in {@link RunConfig} and {@link LoraOptions}.
 */
final class OtherTrainerOptions {

    /**
     * The meaning of a peer's option: another option with another value, nothing (Graft does that anyway), or an error.
     */
    sealed interface Meaning {}

    record Renamed(String name, String value) implements Meaning {}

    record Ignored() implements Meaning {}

    record Rejected(String advice) implements Meaning {}

    private static final Map<String, Function<YamlValue, Meaning>> MEANINGS = new LinkedHashMap<>();

    static {
        flag(
                "loss_on",
                "all",
                "assistant",
                "train_on_input",
                "train_on_inputs",
                "train_on_prompt",
                "dataset.train_on_input");
        flag("loss_on", "completion", "all", "mask_prompt", "data.mask_prompt", "completion_only_loss");
        flag("loss_on", "assistant", null, "assistant_only_loss");
        text("roles_to_train", "loss_on", "assistant", Map.of("assistant", "assistant", "all", "all"));
        text("precision", "dtype", null, Map.of("bf16-true", "bf16", "bf16", "bf16", "32-true", "fp32", "32", "fp32"));
        text(
                "torch_dtype",
                "dtype",
                null,
                Map.of(
                        "auto",
                        "auto",
                        "bfloat16",
                        "bf16",
                        "torch.bfloat16",
                        "bf16",
                        "float32",
                        "fp32",
                        "torch.float32",
                        "fp32"));
        text("bf16", "dtype", null, Map.of("true", "bf16", "false", "fp32", "auto", "auto"));
        text("lora_target", ".target_modules", null, Map.of("all", "all-linear"));
        flag(".target_modules", "all-linear", null, "lora_target_linear");
        text(
                "optim",
                "optimizer",
                null,
                Map.of(
                        "adamw_torch",
                        "adamw",
                        "adamw",
                        "adamw",
                        "adamw_8bit",
                        "adamw_8bit",
                        "adamw_bnb_8bit",
                        "adamw_8bit",
                        "adafactor",
                        "adafactor",
                        "lion",
                        "lion",
                        "lion_32bit",
                        "lion",
                        "sgd",
                        "sgd"));
        text(
                "task_type",
                "task",
                null,
                Map.of(
                        "SEQ_CLS",
                        "classify",
                        "CAUSAL_LM",
                        "causal",
                        "SEQ_2_SEQ_LM",
                        "seq2seq",
                        "classify",
                        "classify",
                        "causal",
                        "causal",
                        "seq2seq",
                        "seq2seq"));
        MEANINGS.put("peft_type", value -> new Renamed("method", text(value).toLowerCase(Locale.ROOT)));
        MEANINGS.put("resume_from_checkpoint", OtherTrainerOptions::resume);

        refuse("loss_on says which tokens count", "loss_scale");
        flag("quantization", "nf4", null, "load_in_4bit");
        flag("quantization", "int8", null, "load_in_8bit");
        bits("quantization_bit", "quant_bits");
        text(
                "quantize",
                "quantization",
                null,
                Map.of(
                        "bnb.nf4", "nf4",
                        "bnb.nf4-dq", "nf4",
                        "bnb.fp4", "fp4",
                        "bnb.fp4-dq", "fp4",
                        "bnb.int8", "int8",
                        "bnb.int8-training", "int8"));
        refuse("write quantization: nf4, fp4 or int8", "base_quantization", "quantization_config", "bnb_config");
        refuse("half precision is bf16 on a processor: dtype bf16, or auto", "fp16", "pure_bf16");
        refuse(
                "list the layers in lora.target_modules",
                "lora_query",
                "lora_key",
                "lora_value",
                "lora_projection",
                "lora_mlp",
                "lora_head",
                "apply_lora_to_mlp",
                "apply_lora_to_output");
        refuse("name one file or folder in data.train", "datasets", "dataset_dir", "dataset._component_");
        refuse(
                "it is batch_size x gradient_accumulation_steps; give these",
                "global_batch_size",
                "train.global_batch_size");
        refuse("max_steps bounds the whole run", "max_steps_per_epoch");
        refuse("write betas: [0.9, 0.999]", "adam_beta1", "adam_beta2");
        refuse("it is alpha / r; write lora.alpha", "lora_parameters.scale");
        refuse(
                "eval_steps and save_steps count optimiser steps; leave them out for once each epoch",
                "evals_per_epoch",
                "saves_per_epoch",
                "eval_strategy",
                "evaluation_strategy",
                "save_strategy");
        refuse("init_adapter takes the folder of an adapter in PEFT's format", "resume_adapter_file");
        refuse(
                "runs are logged to files: report_to [csv, jsonl, tensorboard]",
                "wandb_project",
                "use_wandb",
                "swanlab_project",
                "metric_logger._component_");
        refuse("name the base in model", "model._component_", "checkpointer._component_");
        refuse("write optimizer: adamw, adamw_8bit, adafactor, lion, lbfgs or sgd", "optimizer._component_");
        refuse(
                "write lr_scheduler: linear, cosine, constant, constant_with_warmup or polynomial",
                "lr_scheduler._component_");
        flag("gradient_checkpointing", "false", "true", "disable_gradient_checkpointing");
    }

    private OtherTrainerOptions() {}

    /** The meaning of a peer's option, or null if no peer that we know has it. */
    static @Nullable Meaning meaning(String name, YamlValue value) {
        Function<YamlValue, Meaning> meaning = MEANINGS.get(name);
        return meaning == null ? null : meaning.apply(value);
    }

    static Collection<String> names() {
        return MEANINGS.keySet();
    }

    private static void flag(String name, String whenTrue, @Nullable String whenFalse, String... peers) {
        for (String peer : peers) {
            MEANINGS.put(peer, value -> {
                if (!(value.resolve() instanceof Boolean on)) {
                    return new Rejected("expected true or false, or " + shown(name, whenTrue));
                }
                String translated = on ? whenTrue : whenFalse;
                return translated == null ? new Ignored() : new Renamed(name, translated);
            });
        }
    }

    /** A peer's values word by word; {@code listed} is the one word that may also stand alone in a list. */
    private static void text(String peer, String name, @Nullable String listed, Map<String, String> translations) {
        MEANINGS.put(peer, value -> {
            String word = value instanceof Sequence list
                            && list.items().size() == 1
                            && text(list.items().get(0)).equals(listed)
                    ? listed
                    : text(value);
            String translated = translations.get(word);
            return translated != null
                    ? new Renamed(name, translated)
                    : new Rejected("write " + name.substring(name.startsWith(".") ? 1 : 0) + " instead");
        });
    }

    private static void refuse(String advice, String... peers) {
        for (String peer : peers) {
            MEANINGS.put(peer, value -> isOff(value) ? new Ignored() : new Rejected(advice));
        }
    }

    private static void bits(String... peers) {
        for (String peer : peers) {
            MEANINGS.put(peer, value -> switch (isOff(value) ? "" : text(value)) {
                case "" -> new Ignored();
                case "4" -> new Renamed("quantization", "nf4");
                case "8" -> new Renamed("quantization", "int8");
                default -> new Rejected("write quantization: nf4, fp4 or int8");
            });
        }
    }

    private static Meaning resume(YamlValue value) {
        Object resolved = value.resolve();
        if (resolved instanceof Boolean on) {
            return new Renamed("resume", on ? "auto" : "never");
        }
        return resolved == null ? new Ignored() : new Renamed("resume", text(value));
    }

    private static boolean isOff(YamlValue value) {
        Object resolved = value.resolve();
        return resolved == null || resolved.equals(false);
    }

    private static String text(YamlValue value) {
        return value instanceof Scalar scalar ? scalar.text() : "";
    }

    private static String shown(String name, String value) {
        return name.substring(name.startsWith(".") ? 1 : 0) + ": " + value;
    }
}
