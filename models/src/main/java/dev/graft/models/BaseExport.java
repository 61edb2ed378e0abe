package dev.graft.models;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.DType;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.BitsandbytesTensors;
import dev.graft.models.checkpoints.GgufExport;
import dev.graft.models.checkpoints.MlxTensors;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.matrices.GroupedInt4Matrix;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a base in the formats of other programs.
 *
 * @param reordered whether layers run in another order than in the checkpoint, or more than once
 */
record BaseExport(ModelParts model, boolean reordered) {
    /**
     * Writes a decoder of the Llama kind as a GGUF file.
     *
     * @param dtype of the matrices: F32, F16 or BF16
     */
    void writeGguf(Path file, DType dtype) {
        if (reordered || model.task != Task.CAUSAL_LM) {
            throw new InputException(
                    model.name + ": only a causal language model whose layers are its own is written as GGUF");
        }
        if (!model.quantized().isEmpty()) {
            throw new InputException(model.name + " has quantised matrices; load it whole, without --quantization");
        }
        PretrainedCheckpoint checkpoint = model.checkpoint;
        GgufExport.write(model.name, checkpoint.config(), model.weights.stored(), checkpoint.tokenizer(), file, dtype);
    }

    /**
     * Writes a Hugging Face folder, whole or not at all: config.json, model.safetensors and the tokenizer's files.
     *
     * @param dtype of the parameters: F32, F16 or BF16; null for that in memory
     * @throws InputException if the format can't describe the order of the layers or the quantisation of the matrices
     */
    void writeFolder(Path folder, @Nullable DType dtype) {
        if (reordered) {
            throw new InputException(model.name + " has layers that share tensors: a checkpoint can't say that");
        }
        ObjectNode config = config(quantizedAlike(), dtype);
        AtomicWrite.folder(folder, temporary -> {
            Safetensors.write(temporary.resolve("model.safetensors"), tensors(dtype), Map.of("format", "pt"));
            Files.writeString(temporary.resolve("config.json"), Json.pretty(config) + "\n");
            model.checkpoint.writeTokenizer(temporary);
        });
    }

    private List<TensorData> tensors(@Nullable DType dtype) {
        List<TensorData> tensors = new ArrayList<>();
        model.weights
                .storedQuantized()
                .forEach((parameter, matrix) -> tensors.addAll(
                        matrix instanceof GroupedInt4Matrix grouped
                                ? MlxTensors.store(parameter, grouped)
                                : BitsandbytesTensors.store(parameter, matrix)));
        model.weights.stored().forEach((parameter, value) -> {
            Tensor kept = dtype == null || !TensorConversion.dtype(value).isFloat()
                    ? value
                    : Ops.to(value, TensorConversion.type(new TensorInfo(parameter, dtype, Tensors.shape(value))));
            tensors.add(new TensorData(
                    new TensorInfo(parameter, TensorConversion.dtype(kept), Tensors.shape(kept)), Tensors.bytes(kept)));
        });
        TensorSource source = model.checkpoint.tensors();
        model.passThroughTensors().forEach(name -> tensors.add(new TensorData(source.info(name), source.bytes(name))));
        return tensors;
    }

    /** One of the quantised matrices, of which all are of one kind and in groups of one length; null where there are none. */
    private @Nullable QuantizedMatrix quantizedAlike() {
        Set<String> kinds = new TreeSet<>();
        Set<Integer> groups = new TreeSet<>();
        for (QuantizedMatrix matrix : model.quantized().values()) {
            kinds.add(matrix.kind());
            groups.add(matrix instanceof GroupedInt4Matrix grouped ? grouped.group() : 0);
        }
        boolean written = kinds.equals(Set.of("int4")) && groups.size() == 1
                || kinds.size() == 1 && BitsandbytesTensors.KINDS.containsAll(kinds);
        if (!kinds.isEmpty() && !written) {
            throw new InputException(model.name + " has matrices in " + String.join(", ", kinds)
                    + ": a folder holds one of nf4, fp4, int8, int4; dequantise, or load the base with one of these");
        }
        return kinds.isEmpty() ? null : model.quantized().values().iterator().next();
    }

    private ObjectNode config(@Nullable QuantizedMatrix example, @Nullable DType dtype) {
        ObjectNode saved = model.checkpoint.config().copy();
        saved.remove("quantization_config");
        saved.remove("quantization");
        if (example instanceof GroupedInt4Matrix grouped) {
            saved.set("quantization", MlxTensors.config(grouped.group()));
        } else if (example != null) {
            List<String> whole = model.sites().stream()
                    .filter(site -> site instanceof Linear linear && !linear.isQuantized())
                    .map(Site::name)
                    .toList();
            saved.set(
                    "quantization_config",
                    BitsandbytesTensors.config(
                            example.kind(), model.weights.numerics().base(), whole));
        }
        Linear output = model.head.output();
        boolean writes = model.task == Task.CAUSAL_LM || model.task == Task.SEQ_2_SEQ_LM;
        if (writes && output != null && model.weights.isOverridden(output.name() + ".weight")) {
            model.architecture.untie(saved);
        }
        DType own = model.weights.numerics().base().toString().equals("BFloat16") ? DType.BF16 : DType.F32;
        saved.put(
                "dtype",
                switch (dtype == null ? own : dtype) {
                    case BF16 -> "bfloat16";
                    case F16 -> "float16";
                    default -> "float32";
                });
        saved.putArray("architectures").add(className());
        if (model.task.classifies()) {
            ObjectNode names = saved.putObject("id2label");
            ObjectNode ids = saved.putObject("label2id");
            List<String> labels = model.labels;
            for (int i = 0; i < labels.size(); i++) {
                names.put(Integer.toString(i), labels.get(i));
                ids.put(labels.get(i), i);
            }
        }
        return saved;
    }

    /** Returns the class name in config.json, unless the task is another one. */
    private String className() {
        List<String> names = model.checkpoint.config().strings("architectures", List.of());
        Architecture architecture = model.architecture;
        boolean same = !names.isEmpty()
                && model.task != Task.FEATURE_EXTRACTION
                && architecture.task(names.get(0)) == model.task;
        return same ? names.get(0) : architecture.className(model.task);
    }
}
