package dev.graft.models;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.DType;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.Bitsandbytes;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.models.checkpoints.Mlx;
import dev.graft.models.matrices.Grouped;
import dev.graft.models.matrices.Quantized;
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
 * A base as a Hugging Face folder: config.json, model.safetensors and the tokenizer's files.
 *
 * @param dtype of the parameters: F32, F16 or BF16; null for that in memory
 */
record BaseFolder(
        Base base,
        Checkpoint checkpoint,
        Weights weights,
        @Nullable DType dtype) {
    /**
     * Writes it whole or not at all.
     *
     * @throws InputException if a folder can't say in what its matrices are quantised
     */
    void write(Path folder) {
        ObjectNode config = config(quantizedAlike());
        AtomicWrite.folder(folder, temporary -> {
            Safetensors.write(temporary.resolve("model.safetensors"), tensors(), Map.of("format", "pt"));
            Files.writeString(temporary.resolve("config.json"), Json.pretty(config) + "\n");
            checkpoint.writeTokenizer(temporary);
        });
    }

    private List<TensorData> tensors() {
        List<TensorData> tensors = new ArrayList<>();
        weights.storedQuantized()
                .forEach((parameter, matrix) -> tensors.addAll(
                        matrix instanceof Grouped grouped
                                ? Mlx.store(parameter, grouped)
                                : Bitsandbytes.store(parameter, matrix)));
        weights.stored().forEach((parameter, value) -> {
            Tensor kept = dtype == null || !StoredTensors.dtype(value).isFloat()
                    ? value
                    : Ops.to(value, StoredTensors.type(new TensorInfo(parameter, dtype, Tensors.shape(value))));
            tensors.add(new TensorData(
                    new TensorInfo(parameter, StoredTensors.dtype(kept), Tensors.shape(kept)), Tensors.bytes(kept)));
        });
        TensorSource source = checkpoint.tensors();
        base.carriedTensors().forEach(name -> tensors.add(new TensorData(source.info(name), source.bytes(name))));
        return tensors;
    }

    /** One of the quantised matrices, of which all are of one kind and in groups of one length; null where there are none. */
    private @Nullable Quantized quantizedAlike() {
        Set<String> kinds = new TreeSet<>();
        Set<Integer> groups = new TreeSet<>();
        for (Quantized matrix : base.quantized().values()) {
            kinds.add(matrix.kind());
            groups.add(matrix instanceof Grouped grouped ? grouped.group() : 0);
        }
        boolean written = kinds.equals(Set.of("int4")) && groups.size() == 1
                || kinds.size() == 1 && Bitsandbytes.KINDS.containsAll(kinds);
        if (!kinds.isEmpty() && !written) {
            throw new InputException(base.name() + " has matrices in " + String.join(", ", kinds)
                    + ": a folder holds one of nf4, fp4, int8, int4; dequantise, or load the base with one of these");
        }
        return kinds.isEmpty() ? null : base.quantized().values().iterator().next();
    }

    private ObjectNode config(@Nullable Quantized example) {
        ObjectNode saved = checkpoint.config().copy();
        saved.remove("quantization_config");
        saved.remove("quantization");
        if (example instanceof Grouped grouped) {
            saved.set("quantization", Mlx.config(grouped.group()));
        } else if (example != null) {
            List<String> whole = base.sites().stream()
                    .filter(site -> site instanceof Linear linear && !linear.isQuantized())
                    .map(Site::name)
                    .toList();
            saved.set(
                    "quantization_config",
                    Bitsandbytes.config(example.kind(), base.numerics().base(), whole));
        }
        Linear output = base.head().output();
        boolean writes = base.task() == Task.CAUSAL_LM || base.task() == Task.SEQ_2_SEQ_LM;
        if (writes && output != null && weights.isOverridden(output.name() + ".weight")) {
            base.architecture().untie(saved);
        }
        DType own = base.numerics().base().toString().equals("BFloat16") ? DType.BF16 : DType.F32;
        saved.put(
                "dtype",
                switch (dtype == null ? own : dtype) {
                    case BF16 -> "bfloat16";
                    case F16 -> "float16";
                    default -> "float32";
                });
        saved.putArray("architectures").add(className());
        if (base.task().classifies()) {
            ObjectNode names = saved.putObject("id2label");
            ObjectNode ids = saved.putObject("label2id");
            List<String> labels = base.labels();
            for (int i = 0; i < labels.size(); i++) {
                names.put(Integer.toString(i), labels.get(i));
                ids.put(labels.get(i), i);
            }
        }
        return saved;
    }

    /** As config.json names it, unless the task is another one. */
    private String className() {
        List<String> names = checkpoint.config().strings("architectures", List.of());
        Architecture architecture = base.architecture();
        boolean same = !names.isEmpty()
                && base.task() != Task.FEATURE_EXTRACTION
                && architecture.task(names.get(0)) == base.task();
        return same ? names.get(0) : architecture.className(base.task());
    }
}
