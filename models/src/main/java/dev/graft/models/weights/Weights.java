package dev.graft.models.weights;

import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.matrices.DenseMatrix;
import dev.graft.models.matrices.Matrix;
import dev.graft.models.matrices.MatrixQuantizer;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of a checkpoint, copied into memory on request under the names of the Hugging Face model. Every shape is checked.
 */
public final class Weights {
    private static final long GIVE_BACK = 1 << 23;

    private final TensorSource source;
    private final TensorNames names;
    private final Numerics numerics;
    private final Map<String, Tensor> overrides;
    private final @Nullable LayerOrder order;
    private final Quantization quantization;
    private final Map<String, QuantizedMatrix> given;
    private final Map<String, QuantizedMatrix> quantized = new LinkedHashMap<>();
    private long sinceGivenBack;
    private final Map<String, Tensor> loaded = new LinkedHashMap<>();
    private final Map<String, Tensor> buffers = new LinkedHashMap<>();
    private final TreeSet<String> newlyInitialized = new TreeSet<>();
    private final TreeSet<String> read = new TreeSet<>();
    private boolean replacesHead;
    private @Nullable Initializer initializer;

    /** Creates tensors that no checkpoint contains. */
    @FunctionalInterface
    public interface Initializer {
        /** Creates the tensor of that name, in fp32 or wider; the model uses this very object. */
        Tensor make(String name, long... shape);
    }

    /**
     * Opens the weights of a file.
     *
     * @param prefix the prefix of the backbone's names in a model with a head, for example {@code bert.}; a bare backbone lacks it
     * @param overrides tensors in place of the file's
     */
    public Weights(TensorSource source, String prefix, Numerics numerics, Map<String, Tensor> overrides) {
        this(source, prefix, numerics, overrides, null, Quantization.NONE, Map.of());
    }

    /**
     * Opens the weights of a file whose layers are requested in another order, some repeatedly; repeated layers share their tensors.
     */
    public Weights(
            TensorSource source,
            String prefix,
            Numerics numerics,
            Map<String, Tensor> overrides,
            @Nullable LayerOrder order,
            Quantization quantization,
            Map<String, QuantizedMatrix> given) {
        this.given = given;
        this.order = order;
        this.quantization = quantization;
        this.source = source;
        names = new TensorNames(source.names(), prefix);
        this.numerics = numerics;
        this.overrides = overrides;
    }

    /** Creates weights by an initialiser, independent of the file's values. */
    public Weights(TensorSource source, Numerics numerics, Initializer initializer) {
        this(source, "", numerics, Map.of());
        this.initializer = initializer;
    }

    public Numerics numerics() {
        return numerics;
    }

    /** Returns whether a tensor of that name exists. */
    public boolean has(String name) {
        return initializer != null || overrides.containsKey(stored(name)) || names.locate(stored(name)) != null;
    }

    /** Returns whether an override replaces the file's tensor. */
    public boolean isOverridden(String name) {
        return overrides.containsKey(stored(name));
    }

    /** Returns the checkpoint's name of a tensor. */
    private String stored(String asked) {
        return order == null ? asked : order.stored(asked);
    }

    /** Returns a large matrix {@code [rows, columns]}, in the type of the base. */
    public Tensor matrix(String name, long rows, long columns) {
        return get(name, numerics.base(), rows, columns);
    }

    /** Returns a vector {@code [size]}, in fp32 or wider. */
    public Tensor vector(String name, long size) {
        return get(name, numerics.small(), size);
    }

    /** Returns a bias {@code [size]}, in the type of the product that it is added to. */
    public Tensor bias(String name, long size) {
        return get(name, numerics.base(), size);
    }

    /**
     * Returns a tensor that isn't a parameter, such as the statistics of a batch normalisation: it is saved, but neither trained nor counted.
     */
    public Tensor buffer(String name, ScalarType type, long... shape) {
        Tensor value = get(name, type, shape);
        loaded.remove(stored(name));
        buffers.put(name, value);
        return value;
    }

    /** Treats a head's tensor of another shape in the checkpoint as missing from now on: it is for other labels. */
    public void replaceHead() {
        replacesHead = true;
    }

    private boolean isForOthers(String name, long... shape) {
        String found = overrides.containsKey(stored(name)) ? null : names.locate(stored(name));
        return replacesHead
                && found != null
                && !Arrays.equals(source.info(found).shape(), shape);
    }

    /**
     * Returns a tensor that the checkpoint may lack, such as a new task head's; a missing one is initialised once, in fp32.
     */
    public Tensor getOrInitialize(String name, Supplier<Tensor> initial, long... shape) {
        if (has(name) && !isForOthers(name, shape)) {
            return get(name, numerics.small(), shape);
        }
        try (Scope scope = new Scope()) {
            Tensor made = Ops.to(initial.get(), numerics.small());
            if (!Arrays.equals(Tensors.shape(made), shape)) {
                throw new IllegalStateException(name + " was made in another shape");
            }
            newlyInitialized.add(name);
            return keep(name, made, scope);
        }
    }

    /** Returns a linear layer, quantised if the base is and the layer isn't part of a head. */
    public Linear linear(String name, Role role, int layer, long out, long in, boolean bias) {
        return linear(name, role, layer, out, in, bias, false);
    }

    /** Reads a linear layer whose weight the checkpoint stores as {@code [in, out]}. */
    public Linear transposedLinear(String name, Role role, int layer, long out, long in, boolean bias) {
        return linear(name, role, layer, out, in, bias, true);
    }

    private Linear linear(String name, Role role, int layer, long out, long in, boolean bias, boolean transposed) {
        return new Linear(
                name,
                role,
                layer,
                frozen(name + ".weight", role, out, in, transposed),
                bias ? bias(name + ".bias", out) : null,
                transposed);
    }

    private Matrix frozen(String asked, Role role, long out, long in, boolean transposed) {
        String name = stored(asked);
        QuantizedMatrix known = quantized.getOrDefault(name, given.get(name));
        if (known == null && role != Role.HEAD && !overrides.containsKey(name)) {
            known = quantized(name, out, in, transposed);
        }
        if (known == null) {
            return new DenseMatrix(transposed ? transposed(asked, out, in) : matrix(asked, out, in));
        }
        quantized.put(name, known);
        return known;
    }

    private @Nullable QuantizedMatrix quantized(String name, long out, long in, boolean transposed) {
        try (Scope scope = new Scope()) {
            if (quantization.quantizes()) {
                giveBack(out * in);
                Tensor values = values(name, transposed ? new long[] {in, out} : new long[] {out, in});
                return MatrixQuantizer.quantize(quantization, transposed ? values.t() : values, numerics.base());
            }
            String stored = names.locate(name);
            if (quantization == Quantization.NONE || stored == null || !(source instanceof QuantizedTensors tensors)) {
                return null;
            }
            QuantizedMatrix kept = tensors.quantized(stored, numerics.base());
            if (kept != null) {
                expect(name, new long[] {kept.rows(), kept.columns()}, out, in);
                read.add(stored);
                kept.parts().forEach(scope::release);
            }
            return kept;
        }
    }

    /** Whole matrices are freed between small ones that stay, and libtorch's heap would keep what they took. */
    private void giveBack(long values) {
        sinceGivenBack += values;
        if (sinceGivenBack > GIVE_BACK) {
            Pointer.trimMemory();
            sinceGivenBack = 0;
        }
    }

    /** Returns a matrix {@code [out, in]} that the checkpoint stores as {@code [in, out]}. */
    public Tensor transposed(String name, long out, long in) {
        Tensor seen = matrix(name, in, out).t();
        seen.retainReference();
        return seen;
    }

    /**
     * Returns a linear layer of a task head. If the checkpoint lacks it, it is normal around 0 with standard deviation 0.02.
     */
    public Linear headLinear(String name, long out, long in, boolean bias, long seed) {
        String weight = name + ".weight";
        return new Linear(
                name,
                Role.HEAD,
                -1,
                getOrInitialize(weight, () -> Rng.of(seed, weight).normal(0, 0.02, out, in), out, in),
                bias ? getOrInitialize(name + ".bias", () -> Tensors.zeros(ScalarType.Float, out), out) : null);
    }

    /** Returns a layer normalisation. Checkpoints of 2018 to 2020 name its parameters gamma and beta. */
    public Norm layerNorm(String name, int layer, long size, boolean bias, double eps) {
        boolean old = !has(name + ".weight") && has(name + ".gamma");
        return new Norm(
                name,
                layer,
                Norm.Kind.LAYER,
                vector(name + (old ? ".gamma" : ".weight"), size),
                bias ? vector(name + (old ? ".beta" : ".bias"), size) : null,
                eps);
    }

    /** Returns a norm of a task head, which the checkpoint may lack. */
    public Norm headNorm(String name, long size, boolean bias, double eps) {
        return new Norm(
                name,
                -1,
                Norm.Kind.LAYER,
                getOrInitialize(name + ".weight", () -> Tensors.ones(ScalarType.Float, size), size),
                bias ? getOrInitialize(name + ".bias", () -> Tensors.zeros(ScalarType.Float, size), size) : null,
                eps);
    }

    /** Returns a root-mean-square normalisation. */
    public Norm rmsNorm(String name, int layer, long size, double eps) {
        return new Norm(name, layer, Norm.Kind.RMS, vector(name + ".weight", size), null, eps);
    }

    /** Returns a table of embeddings, other than the model's input, without a row for padding. */
    public Embedding embedding(String name, long rows, long hidden) {
        return new Embedding(name, matrix(name + ".weight", rows, hidden), false);
    }

    /** Returns the table of the model's token embeddings; padding as in {@link Embedding}. */
    public Embedding tokenEmbedding(String name, long rows, long hidden, long padding) {
        return new Embedding(name, matrix(name + ".weight", rows, hidden), true, padding);
    }

    /** Returns the tensor of that name, type and shape; repeated requests return the same object. */
    public Tensor get(String asked, ScalarType type, long... shape) {
        String name = stored(asked);
        Tensor already = loaded.get(name);
        if (already != null) {
            return already;
        }
        if (initializer != null) {
            Tensor made = initializer.make(name, shape);
            loaded.put(name, made);
            return made;
        }
        Tensor override = overrides.get(name);
        if (override != null) {
            expect(name, Tensors.shape(override), shape);
            // It may be the very tensor that was given, which belongs to somebody else's scope.
            Tensor value = Ops.to(override, type);
            value.retainReference();
            loaded.put(name, value);
            return value;
        }
        try (Scope scope = new Scope()) {
            return keep(name, Ops.to(values(name, shape), type), scope);
        }
    }

    /** The tensor in the type that the checkpoint has it in. */
    private Tensor values(String name, long... shape) {
        TensorNames.Part part = names.part(name);
        String stored = names.locate(name);
        if (stored == null && part != null) {
            return part(part, shape);
        }
        if (stored == null) {
            throw new FormatException(
                    source.path(),
                    "has no tensor " + name + " " + Arrays.toString(shape) + ", which this architecture needs");
        }
        read.add(stored);
        TensorInfo info = source.info(stored);
        expect(name, info.shape(), shape);
        Tensor raw = Tensors.empty(TensorConversion.type(info), shape);
        if (raw.nbytes() > 0) {
            source.read(
                    stored,
                    new BytePointer(raw.data_ptr())
                            .capacity(raw.nbytes())
                            .asByteBuffer()
                            .order(ByteOrder.LITTLE_ENDIAN));
        }
        return raw;
    }

    /**
     * Declares that a tensor may be one of equal, stacked parts of a larger one in the checkpoint.
     *
     * @param whole the name of the larger one in this model
     */
    public void part(String name, String whole, int index, int count) {
        names.part(name, new TensorNames.Part(whole, index, count));
    }

    private Tensor part(TensorNames.Part part, long... shape) {
        long[] all = shape.clone();
        all[0] *= part.count();
        return values(part.whole(), all)
                .narrow(0, part.index() * shape[0], shape[0])
                .clone();
    }

    /** Sets the older names of parameters in checkpoints; they are tried first. */
    public void rename(UnaryOperator<String> older) {
        names.rename(older);
    }

    /** Sets another prefix of the backbone in checkpoints of the architecture; it is tried last. */
    public void alsoUnder(String otherPrefix) {
        names.alsoUnder(otherPrefix);
    }

    /** Returns the kernels of a convolution, in the type of the base. */
    public Tensor kernels(String name, long... shape) {
        return get(name, numerics.base(), shape);
    }

    /** Returns a matrix that the checkpoint stores under another name. */
    public Tensor renamed(String name, String storedName, long rows, long columns) {
        if (!storedName.equals(name)) {
            names.alias(name, expert -> List.of(storedName));
        }
        return matrix(name, rows, columns);
    }

    /**
     * Returns the matrices of all experts as one tensor {@code [experts, rows, columns]}, from one tensor of the checkpoint or from one per
     * expert.
     *
     * @param parts the names of an expert's matrices in the checkpoint, which are stacked
     */
    public Tensor stackedExperts(String name, IntFunction<List<String>> parts, int experts, long rows, long columns) {
        names.alias(name, parts);
        if (initializer != null
                || overrides.containsKey(name)
                || loaded.containsKey(name)
                || names.locateWhole(name) != null) {
            return get(name, numerics.base(), experts, rows, columns);
        }
        try (Scope scope = new Scope()) {
            Tensor all = Tensors.empty(numerics.base(), experts, rows, columns);
            for (int expert = 0; expert < experts; expert++) {
                List<String> own = parts.apply(expert);
                long each = rows / own.size();
                for (int i = 0; i < own.size(); i++) {
                    Tensor part = get(own.get(i), numerics.base(), each, columns);
                    all.select(0, expert).narrow(0, i * each, each).copy_(part);
                    loaded.remove(own.get(i));
                    part.releaseReference();
                }
            }
            return keep(name, all, scope);
        }
    }

    /**
     * Returns the matrices of all experts {@code [experts, rows, columns]}, which the checkpoint stores as one tensor
     * {@code [experts, columns, rows]}.
     */
    public Tensor transposedExperts(String name, int experts, long rows, long columns) {
        Tensor seen = get(name, numerics.base(), experts, columns, rows).transpose(1, 2);
        seen.retainReference();
        return seen;
    }

    /** All requested tensors, in the names and layout of the checkpoint. */
    public Map<String, Tensor> stored() {
        Map<String, Tensor> stored = names.stored(loaded);
        stored.putAll(buffers);
        return stored;
    }

    /** All tensors requested so far, by name. */
    public Map<String, Tensor> loaded() {
        return loaded;
    }

    /** Returns the weight {@code [out, in]} of a layer before quantisation. */
    public Tensor original(String name, Linear layer) {
        Tensor values =
                layer.transposed() ? values(name, layer.in(), layer.out()).t() : values(name, layer.out(), layer.in());
        return Ops.to(values, ScalarType.Float);
    }

    /** The quantised matrices requested so far, by their names in the checkpoint. */
    public Map<String, QuantizedMatrix> storedQuantized() {
        return names.renamed(quantized);
    }

    /** The quantised matrices requested so far, by name. */
    public Map<String, QuantizedMatrix> quantized() {
        return quantized;
    }

    /** The names that the checkpoint lacks, whose tensors were newly initialised. */
    public TreeSet<String> newlyInitialized() {
        return newlyInitialized;
    }

    /** The checkpoint's tensors that the architecture did not request. */
    public TreeSet<String> unused() {
        TreeSet<String> unused = new TreeSet<>(source.names());
        unused.removeAll(read);
        return unused;
    }

    private Tensor keep(String name, Tensor tensor, Scope scope) {
        scope.release(tensor);
        loaded.put(name, tensor);
        return tensor;
    }

    private void expect(String name, long[] found, long... shape) {
        if (!Arrays.equals(found, shape)) {
            throw new FormatException(
                    source.path(),
                    name + " has shape " + Arrays.toString(found) + ", expected " + Arrays.toString(shape)
                            + " by its configuration");
        }
    }
}
