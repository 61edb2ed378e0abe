package dev.graft.train;

import dev.graft.formats.Sha256;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Evaluating;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.LearningRate;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.checkpoints.BestScore.EarlyStopping;
import dev.graft.train.data.Examples;
import dev.graft.train.data.TrainingObjective;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Everything that influences the result of a run, as saved in checkpoints: a run resumes only if all of it is equal. The rhythm of
 * checkpoints and the time limit aren't part of it.
 */
final class RunSettings {
    private RunSettings() {}

    static ObjectNode of(
            TrainSettings settings,
            TrainPlan plan,
            Adapter adapter,
            Examples examples,
            @Nullable Evaluation evaluation) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("seed", settings.seed());
        json.put("total_steps", plan.totalSteps());
        optimization(json, settings.optimization());
        Batching batching = settings.batching();
        json.put("batch_size", batching.size());
        json.put("gradient_accumulation_steps", batching.accumulation());
        json.put("order", batching.order().name());
        json.put("longest_first", batching.longestFirst());
        TrainSettings.Economy economy = settings.economy();
        json.put("auto_freeze", economy.freezePercentile());
        json.put("auto_freeze_steps", economy.freezeSteps());
        json.put("drop_backward", economy.dropBackward());
        evaluating(json.putObject("evaluation"), settings.evaluating());
        adapter(json.putObject("adapter"), adapter);
        data(json.putObject("data"), examples, evaluation == null ? null : evaluation.digest());
        if (!examples.objective().equals(TrainingObjective.SUPERVISED)) {
            json.put("goal", examples.objective().toString());
        }
        return json;
    }

    private static void optimization(ObjectNode json, Optimization optimization) {
        json.put("optimizer", optimization.optimizer().toString());
        json.put("learning_rate", optimization.learningRate());
        if (optimization.headRate() != null) {
            json.put("head_learning_rate", optimization.headRate());
        }
        LearningRate rate = optimization.schedule();
        ObjectNode schedule = json.putObject("lr_scheduler");
        schedule.put("name", rate.schedule());
        new TreeMap<>(rate.options()).forEach((name, value) -> schedule.put(name, String.valueOf(value)));
        schedule.put("warmup_steps", rate.warmupSteps());
        schedule.put("warmup_ratio", rate.warmupRatio());
        json.put("max_grad_norm", optimization.maxGradientNorm());
        json.put("label_smoothing", optimization.labelSmoothing());
        json.put("max_loss_spike", optimization.lossSpike());
        if (optimization.averaging() != null) {
            json.put("ema_decay", optimization.averaging());
        }
        if (!optimization.groups().isEmpty()) {
            json.put("parameter_groups", optimization.groups().toString());
        }
    }

    private static void evaluating(ObjectNode json, Evaluating evaluating) {
        Every every = evaluating.every();
        json.put("steps", every.steps());
        json.put("epochs", every.epochs());
        json.put("metric", evaluating.metric());
        json.put("greater_is_better", evaluating.greaterIsBetter());
        EarlyStopping stopping = evaluating.earlyStopping();
        if (stopping != null) {
            json.put("early_stopping_patience", stopping.patience());
            json.put("early_stopping_threshold", stopping.minimumGain());
        }
    }

    private static void adapter(ObjectNode json, Adapter adapter) {
        Base base = adapter.base();
        json.put("base_fingerprint", base.fingerprint());
        json.put("task", base.task().name());
        json.put("dtype", base.numerics().base().toString());
        if (!base.quantized().isEmpty()) {
            json.put("quantization", base.quantization().title());
        }
        if (base.usesInt8Gradients()) {
            json.put("int8_gradients", true);
        }
        ObjectNode method = json.putObject("method");
        method.put("name", adapter.method().type().name());
        adapter.method().write(method, base);
        if (adapter.isStored()) {
            MessageDigest initial = Sha256.digest();
            adapter.parameters().values().forEach(parameter -> initial.update(Tensors.bytes(parameter.value())));
            json.put("initial_sha256", HexFormat.of().formatHex(initial.digest()));
        }
        ObjectNode parameters = json.putObject("parameters");
        adapter.parameters().forEach((name, parameter) -> {
            String shape = Arrays.toString(Tensors.shape(parameter.value()));
            parameters.put(name, parameter.trainable() ? shape : shape + " frozen");
        });
    }

    private static void data(ObjectNode json, Examples examples, @Nullable String validation) {
        CRC32 lengths = new CRC32();
        for (int length : examples.lengths()) {
            lengths.update(length);
            lengths.update(length >> 8);
            lengths.update(length >> 16);
        }
        json.put("rows", examples.size());
        json.put("tokens", examples.summary().tokens());
        json.put("loss_terms", examples.summary().lossTerms());
        json.put("lengths_crc32", Long.toHexString(lengths.getValue()));
        json.put("training_sha256", examples.digest());
        if (validation != null) {
            json.put("validation_sha256", validation);
        }
    }
}
