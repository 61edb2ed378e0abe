package dev.graft.models;

import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.matrices.Dense;
import dev.graft.models.matrices.Matrix;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.Quantized;
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
 * The tensors of a checkpoint, copied into memory as an architecture asks for them by the names it has as a Hugging Face model.
 * Every shape is checked.
 */
public final class Weights {
    private static final long GIVE_BACK = 1 << 23;

    private final TensorSource source;
    private final TensorNames names;
    private final Numerics numerics;
    private final Map<String, Tensor> overrides;
    private final @Nullable LayerOrder order;
    private final Quantization quantization;
    private final Map<String, Quantized> given;
    private final Map<String, Quantized> quantized = new LinkedHashMap<>();
    private long sinceGivenBack;
    private final Map<String, Tensor> loaded = new LinkedHashMap<>();
    private final Map<String, Tensor> buffers = new LinkedHashMap<>();
    private final TreeSet<String> fresh = new TreeSet<>();
    private final TreeSet<String> read = new TreeSet<>();
    private boolean replacesHead;
    private @Nullable Maker maker;

    /** Makes tensors that no checkpoint has. */
    @FunctionalInterface
    public interface Maker {
        /** The tensor of that name, in fp32 or wider: the very one that the model is to hold. */
        Tensor make(String name, long... shape);
    }

    /**
     * Weights of a file.
     *
     * @param prefix what a model with a head has before its backbone's names, and a bare backbone has not, for example {@code bert.}
     * @param overrides tensors to take in place of the file's
     */
    public Weights(TensorSource source, String prefix, Numerics numerics, Map<String, Tensor> overrides) {
        this(source, prefix, numerics, overrides, null, Quantization.NONE, Map.of());
    }

    /** Weights of a file whose layers are asked for in another order, some more than once; those share their tensors. */
    Weights(
            TensorSource source,
            String prefix,
            Numerics numerics,
            Map<String, Tensor> overrides,
            @Nullable LayerOrder order,
            Quantization quantization,
            Map<String, Quantized> given) {
        this.given = given;
        this.order = order;
        this.quantization = quantization;
        this.source = source;
        names = new TensorNames(source.names(), prefix);
        this.numerics = numerics;
        this.overrides = overrides;
    }

    /** Weights that are made as they are asked for, none of which is the file's. */
    Weights(TensorSource source, Numerics numerics, Maker maker) {
        this(source, "", numerics, Map.of());
        this.maker = maker;
    }

    public Numerics numerics() {
        return numerics;
    }

    /** Whether there is such a tensor. */
    public boolean has(String name) {
        return maker != null || overrides.containsKey(stored(name)) || names.locate(stored(name)) != null;
    }

    /** Whether the tensor was given in place of the file's. */
    public boolean isOverridden(String name) {
        return overrides.containsKey(stored(name));
    }

    /** What the checkpoint calls a tensor. */
    private String stored(String asked) {
        return order == null ? asked : order.stored(asked);
    }

    /** A large matrix, in the type of the base. */
    public Tensor matrix(String name, long rows, long columns) {
        return get(name, numerics.base(), rows, columns);
    }

    /** A vector, in fp32 or wider. */
    public Tensor vector(String name, long size) {
        return get(name, numerics.small(), size);
    }

    /** A bias, in the type of the product that it is added to. */
    public Tensor bias(String name, long size) {
        return get(name, numerics.base(), size);
    }

    /** A tensor that isn't a parameter, such as the statistics of a batch normalisation: nothing trains or counts it, a saved model has it. */
    public Tensor buffer(String name, ScalarType type, long... shape) {
        Tensor value = get(name, type, shape);
        loaded.remove(stored(name));
        buffers.put(name, value);
        return value;
    }

    /** From now on a head's tensor that the checkpoint has in another shape counts as missing: it is for other labels. */
    void replaceHead() {
        replacesHead = true;
    }

    private boolean isForOthers(String name, long... shape) {
        String found = overrides.containsKey(stored(name)) ? null : names.locate(stored(name));
        return replacesHead
                && found != null
                && !Arrays.equals(source.info(found).shape(), shape);
    }

    /** A tensor that the checkpoint may lack, such as a new task head; made once by the given initialisation, in fp32. */
    public Tensor orFresh(String name, Supplier<Tensor> initial, long... shape) {
        if (has(name) && !isForOthers(name, shape)) {
            return get(name, numerics.small(), shape);
        }
        try (Scope scope = new Scope()) {
            Tensor made = Ops.to(initial.get(), numerics.small());
            if (!Arrays.equals(Tensors.shape(made), shape)) {
                throw new IllegalStateException(name + " was made in another shape");
            }
            fresh.add(name);
            return keep(name, made, scope);
        }
    }

    /** A linear layer, quantised if the base's are and it isn't of a head. */
    public Linear linear(String name, Role role, int layer, long out, long in, boolean bias) {
        return linear(name, role, layer, out, in, bias, false);
    }

    /** The same where the checkpoint stores the weight as {@code [in, out]}. */
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
        Quantized known = quantized.getOrDefault(name, given.get(name));
        if (known == null && role != Role.HEAD && !overrides.containsKey(name)) {
            known = quantized(name, out, in, transposed);
        }
        if (known == null) {
            return new Dense(transposed ? transposed(asked, out, in) : matrix(asked, out, in));
        }
        quantized.put(name, known);
        return known;
    }

    private @Nullable Quantized quantized(String name, long out, long in, boolean transposed) {
        try (Scope scope = new Scope()) {
            if (quantization.quantizes()) {
                giveBack(out * in);
                Tensor values = values(name, transposed ? new long[] {in, out} : new long[] {out, in});
                return quantization.quantize(transposed ? values.t() : values, numerics.base());
            }
            String stored = names.locate(name);
            if (quantization == Quantization.NONE || stored == null || !(source instanceof QuantizedTensors tensors)) {
                return null;
            }
            Quantized kept = tensors.quantized(stored, numerics.base());
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

    /** A matrix that the checkpoint stores as {@code [in, out]}, seen as {@code [out, in]}. */
    public Tensor transposed(String name, long out, long in) {
        Tensor seen = matrix(name, in, out).t();
        seen.retainReference();
        return seen;
    }

    /** A linear layer of a task head, which the checkpoint may lack: then it is normal around 0 with standard deviation 0.02. */
    public Linear headLinear(String name, long out, long in, boolean bias, long seed) {
        String weight = name + ".weight";
        return new Linear(
                name,
                Role.HEAD,
                -1,
                orFresh(weight, () -> Rng.of(seed, weight).normal(0, 0.02, out, in), out, in),
                bias ? orFresh(name + ".bias", () -> Tensors.zeros(ScalarType.Float, out), out) : null);
    }

    /** Layer normalisation. Checkpoints of 2018 to 2020 call its parameters gamma and beta. */
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

    /** A norm of a task head, which the checkpoint may lack. */
    public Norm headNorm(String name, long size, boolean bias, double eps) {
        return new Norm(
                name,
                -1,
                Norm.Kind.LAYER,
                orFresh(name + ".weight", () -> Tensors.ones(ScalarType.Float, size), size),
                bias ? orFresh(name + ".bias", () -> Tensors.zeros(ScalarType.Float, size), size) : null,
                eps);
    }

    /** Root-mean-square normalisation. */
    public Norm rmsNorm(String name, int layer, long size, double eps) {
        return new Norm(name, layer, Norm.Kind.RMS, vector(name + ".weight", size), null, eps);
    }

    /** A table of embeddings, other than the model's input, without a row for padding. */
    public Embedding embedding(String name, long rows, long hidden) {
        return new Embedding(name, matrix(name + ".weight", rows, hidden), false);
    }

    /** The table of the model's token embeddings; padding as in {@link Embedding}. */
    public Embedding tokens(String name, long rows, long hidden, long padding) {
        return new Embedding(name, matrix(name + ".weight", rows, hidden), true, padding);
    }

    /** The tensor of that name in that type and shape; the same object when asked again. */
    public Tensor get(String asked, ScalarType type, long... shape) {
        String name = stored(asked);
        Tensor already = loaded.get(name);
        if (already != null) {
            return already;
        }
        if (maker != null) {
            Tensor made = maker.make(name, shape);
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
        Tensor raw = Tensors.empty(StoredTensors.type(info), shape);
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
     * Says that a tensor may be in the checkpoint as one of equal parts of a larger one, one under another.
     *
     * @param whole the larger one, as this model would call it
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

    /** Says what checkpoints call the parameters of a model whose own names are newer; those are looked for first. */
    public void rename(UnaryOperator<String> older) {
        names.rename(older);
    }

    /** Says under which other prefix checkpoints of the architecture have the backbone; that is where they are looked for last. */
    void orUnder(String otherPrefix) {
        names.orUnder(otherPrefix);
    }

    /** The kernels of a convolution, in the type of the base. */
    public Tensor kernels(String name, long... shape) {
        return get(name, numerics.base(), shape);
    }

    /** A matrix that the checkpoint holds under another name. */
    public Tensor renamed(String name, String storedName, long rows, long columns) {
        if (!storedName.equals(name)) {
            names.alias(name, expert -> List.of(storedName));
        }
        return matrix(name, rows, columns);
    }

    /**
     * The matrices of all experts as one tensor {@code [experts, rows, columns]}, which the checkpoint holds so, or one by one.
     *
     * @param parts the names of an expert's matrices in the checkpoint, which are put one under another
     */
    public Tensor stacked(String name, IntFunction<List<String>> parts, int experts, long rows, long columns) {
        names.alias(name, parts);
        if (maker != null
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

    /** The matrices of all experts, which the checkpoint holds as one tensor {@code [experts, columns, rows]}, seen as {@code [experts, rows, columns]}. */
    public Tensor transposedStack(String name, int experts, long rows, long columns) {
        Tensor seen = get(name, numerics.base(), experts, columns, rows).transpose(1, 2);
        seen.retainReference();
        return seen;
    }

    /** Everything asked for, as checkpoints hold it. */
    Map<String, Tensor> stored() {
        Map<String, Tensor> stored = names.stored(loaded);
        stored.putAll(buffers);
        return stored;
    }

    /** Everything asked for so far, by name. */
    public Map<String, Tensor> loaded() {
        return loaded;
    }

    /** The weight {@code [out, in]} of a layer as the checkpoint has it. */
    Tensor original(String name, Linear layer) {
        Tensor values =
                layer.transposed() ? values(name, layer.in(), layer.out()).t() : values(name, layer.out(), layer.in());
        return Ops.to(values, ScalarType.Float);
    }

    /** The quantised matrices asked for so far, as checkpoints name them. */
    Map<String, Quantized> storedQuantized() {
        return names.renamed(quantized);
    }

    /** The quantised matrices asked for so far, by name. */
    Map<String, Quantized> quantized() {
        return quantized;
    }

    /** The names that the checkpoint lacks and that were newly made. */
    public TreeSet<String> fresh() {
        return fresh;
    }

    /** The checkpoint's tensors that the architecture did not ask for. */
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
