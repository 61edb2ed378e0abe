package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.heads.Head;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.weights.LayerOrder;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Numerics;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Reads the parts of a model from a checkpoint.
 *
 * @param name the public name of the model
 * @param order the order of the layers if it differs from the checkpoint's, or null
 */
record BaseLoader(
        String name,
        PretrainedCheckpoint checkpoint,
        Architecture architecture,
        @Nullable LayerOrder order) {
    /** Returns a loader of a model whose layer i is the checkpoint's layer {@code layers[i]}. */
    BaseLoader reordered(List<Integer> layers) {
        if (order != null) {
            throw new IllegalStateException(name + " has its layers in another order already");
        }
        return new BaseLoader(name, checkpoint, architecture, new LayerOrder(layers));
    }

    private Fields config() {
        return order == null ? checkpoint.config() : order.of(checkpoint.config());
    }

    private TaskHead declaredHead() {
        return TaskHead.declared(config(), architecture, checkpoint.tensors().names());
    }

    /**
     * Returns the chosen head.
     *
     * @param task null for the one that config.json names
     * @param labels empty for those of config.json
     * @param own a head in place of the architecture's, or null
     * @throws InputException if the architecture lacks a head for the task
     */
    TaskHead head(@Nullable Task task, List<String> labels, @Nullable FlexibleHead own) {
        TaskHead head = declaredHead().replacedBy(task, labels);
        if (own == null && !architecture.tasks().contains(head.task())) {
            throw new InputException(name + ": " + architecture.modelType() + " has no head for " + head.task()
                    + ", it has " + architecture.tasks());
        }
        return head;
    }

    /** Returns the storage format of the matrices, where null means that of the checkpoint. */
    Quantization quantization(@Nullable Quantization chosen) {
        if (chosen != null) {
            return chosen;
        }
        return checkpoint.tensors() instanceof QuantizedTensors tensors && tensors.keepsQuantization()
                ? Quantization.KEEP
                : Quantization.NONE;
    }

    /**
     * Opens the weights of a model with that head.
     *
     * @param overrides parameters in place of the checkpoint's
     * @param matrices quantised matrices in place of the checkpoint's
     */
    Weights weights(
            TaskHead head,
            Numerics numerics,
            Quantization quantization,
            Map<String, Tensor> overrides,
            Map<String, QuantizedMatrix> matrices) {
        Weights weights = new Weights(
                checkpoint.tensors(),
                architecture.prefix(head.task()),
                numerics,
                overrides,
                order,
                quantization,
                matrices);
        weights.alsoUnder(architecture.prefix());
        if (!head.fits(declaredHead())) {
            weights.replaceHead();
        }
        return weights;
    }

    /**
     * Builds the model.
     *
     * @param own a head in place of the architecture's, or null
     */
    ModelParts build(Weights weights, TaskHead head, @Nullable FlexibleHead own, Head.Pooling pooling, long seed) {
        Fields config = config();
        Architecture.Model built = architecture.build(
                config,
                weights,
                new Architecture.HeadSpec(
                        own == null ? head.task() : Task.FEATURE_EXTRACTION,
                        head.labels().size(),
                        pooling,
                        seed));
        Head heading = own == null
                ? built.head()
                : own.build(
                        weights, built.backbone(), config, architecture.tasks().contains(Task.CAUSAL_LM));
        return new ModelParts(name, checkpoint, architecture, head, weights, built.backbone(), heading);
    }
}
