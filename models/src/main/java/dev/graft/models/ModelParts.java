package dev.graft.models;

import dev.graft.formats.InputException;
import dev.graft.models.audio.LogMel;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.heads.Head;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A model in memory: its parts, its sites by name and the names of its parameters. */
final class ModelParts {
    final String name;
    final PretrainedCheckpoint checkpoint;
    final Architecture architecture;
    final Task task;
    final List<String> labels;
    final Weights weights;
    final Backbone backbone;
    final Head head;
    private final Map<String, Site> sites;

    ModelParts(
            String name,
            PretrainedCheckpoint checkpoint,
            Architecture architecture,
            TaskHead choice,
            Weights weights,
            Backbone backbone,
            Head head) {
        this.name = name;
        this.checkpoint = checkpoint;
        this.architecture = architecture;
        this.task = choice.task();
        this.labels = choice.labels();
        this.weights = weights;
        this.backbone = backbone;
        this.head = head;
        Map<String, Site> byName = new LinkedHashMap<>();
        for (Site site : backbone.sites()) {
            byName.put(key(site), site);
        }
        for (Site site : head.sites()) {
            byName.put(key(site), site);
        }
        this.sites = Collections.unmodifiableMap(byName);
    }

    private static String key(Site site) {
        return site.getClass().getSimpleName() + " " + site.name();
    }

    List<Site> sites() {
        return List.copyOf(sites.values());
    }

    <S extends Site> @Nullable S site(Class<S> kind, String siteName) {
        return kind.cast(sites.get(kind.getSimpleName() + " " + siteName));
    }

    Map<String, Tensor> parameters() {
        return Collections.unmodifiableMap(weights.loaded());
    }

    Map<String, QuantizedMatrix> quantized() {
        return Collections.unmodifiableMap(weights.quantized());
    }

    /** Adds the parameters that were newly initialised to others, which take precedence. */
    Map<String, Tensor> withNewParameters(Map<String, Tensor> others) {
        Map<String, Tensor> all = new LinkedHashMap<>();
        for (String fresh : weights.newlyInitialized()) {
            all.put(fresh, weights.loaded().get(fresh));
        }
        all.putAll(others);
        return all;
    }

    /** Adds the decoded values of quantised matrices to other parameters, which take precedence. */
    Map<String, Tensor> dequantized(Map<String, Tensor> others) {
        Map<String, Tensor> whole = new LinkedHashMap<>(others);
        for (Site site : sites()) {
            if (site instanceof Linear linear && linear.isQuantized()) {
                whole.computeIfAbsent(
                        weightName(linear),
                        parameter -> linear.stored(linear.weight()).contiguous());
            }
        }
        return whole;
    }

    /** The memory that the parameters take, in bytes. */
    long parameterBytes() {
        return parameters().values().stream().mapToLong(Tensor::nbytes).sum()
                + quantized().values().stream()
                        .mapToLong(QuantizedMatrix::bytes)
                        .sum();
    }

    /** The number of parameters; tied ones count once. */
    long parameterCount() {
        return parameters().values().stream().mapToLong(Tensor::numel).sum()
                + quantized().values().stream()
                        .mapToLong(matrix -> matrix.rows() * matrix.columns())
                        .sum();
    }

    /** The name of one of its parameters, also for a transposed view of it. */
    String nameOf(Tensor parameter) {
        for (Map.Entry<String, Tensor> entry : weights.loaded().entrySet()) {
            Tensor value = entry.getValue();
            if (value.data_ptr().equals(parameter.data_ptr()) && value.numel() == parameter.numel()) {
                return entry.getKey();
            }
        }
        throw new IllegalArgumentException("not a parameter of " + name);
    }

    /**
     * The weight of a quantised layer before it was quantised, {@code [out, in]}.
     *
     * @throws InputException if the checkpoint has it quantised only
     */
    Tensor originalWeight(Linear layer) {
        String weight = weightName(layer);
        if (checkpoint.tensors() instanceof QuantizedTensors) {
            throw new InputException(name + " was quantised before it was written, so what " + weight
                    + " was before isn't known; take a checkpoint of the model that isn't quantised");
        }
        return weights.original(weight, layer);
    }

    /** The name of a layer's weight. */
    String weightName(Affine layer) {
        if (layer instanceof Linear linear && linear.matrix() instanceof QuantizedMatrix matrix) {
            return weights.quantized().entrySet().stream()
                    .filter(entry -> entry.getValue() == matrix)
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException(linear.name() + " isn't of " + name))
                    .getKey();
        }
        return nameOf(layer.weight());
    }

    /** Tensors of the checkpoint for parts that this model doesn't have and a saved folder keeps. */
    Set<String> passThroughTensors() {
        Set<String> carried = weights.unused();
        carried.removeIf(tensor -> !architecture.passesThrough(tensor));
        return carried;
    }

    /** Tensors of the checkpoint that neither this model nor a saved folder has. */
    Set<String> unusedTensors() {
        Set<String> unused = weights.unused();
        unused.removeIf(architecture::passesThrough);
        return unused;
    }

    /** Reads the spectrogram settings of an audio model. */
    LogMel readLogMel() {
        if (backbone.bands() == 0) {
            throw new InputException(name + " is a " + architecture.modelType()
                    + ", which hears nothing; recordings need a model such as Whisper");
        }
        return checkpoint.readLogMel(backbone.bands());
    }
}
