package dev.graft.models;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of a checkpoint, copied into memory as an architecture asks for them by the names it has as a Hugging Face model.
 * Every shape is checked.
 */
public final class Weights {
    private final TensorSource source;
    private final String prefix;
    private final Numerics numerics;
    private final Map<String, Tensor> overrides;
    private final @Nullable LayerOrder order;
    private final Map<String, Tensor> loaded = new LinkedHashMap<>();
    private final TreeSet<String> fresh = new TreeSet<>();
    private final TreeSet<String> read = new TreeSet<>();

    /**
     * Weights of a file.
     *
     * @param prefix what a model with a head has before its backbone's names, and a bare backbone has not, for example {@code bert.}
     * @param overrides tensors to take in place of the file's
     */
    public Weights(TensorSource source, String prefix, Numerics numerics, Map<String, Tensor> overrides) {
        this(source, prefix, numerics, overrides, null);
    }

    /** Weights of a file whose layers are asked for in another order, some more than once; those share their tensors. */
    Weights(
            TensorSource source,
            String prefix,
            Numerics numerics,
            Map<String, Tensor> overrides,
            @Nullable LayerOrder order) {
        this.order = order;
        this.source = source;
        this.prefix = prefix;
        this.numerics = numerics;
        this.overrides = overrides;
    }

    public Numerics numerics() {
        return numerics;
    }

    /** Whether there is such a tensor. */
    public boolean has(String name) {
        return overrides.containsKey(stored(name)) || locate(stored(name)) != null;
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

    /** A tensor that the checkpoint may lack, such as a new task head; made once by the given initialisation, in fp32. */
    public Tensor orFresh(String name, Supplier<Tensor> initial, long... shape) {
        if (has(name)) {
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

    /** The tensor of that name in that type and shape; the same object when asked again. */
    public Tensor get(String asked, ScalarType type, long... shape) {
        String name = stored(asked);
        Tensor already = loaded.get(name);
        if (already != null) {
            return already;
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
        String stored = locate(name);
        if (stored == null) {
            throw new FormatException(
                    source.path(),
                    "has no tensor " + name + " " + Arrays.toString(shape) + ", which this architecture needs");
        }
        read.add(stored);
        TensorInfo info = source.info(stored);
        expect(name, info.shape(), shape);
        try (Scope scope = new Scope()) {
            Tensor raw = Tensors.empty(type(info), shape);
            if (raw.nbytes() > 0) {
                source.read(
                        stored,
                        new BytePointer(raw.data_ptr())
                                .capacity(raw.nbytes())
                                .asByteBuffer()
                                .order(ByteOrder.LITTLE_ENDIAN));
            }
            return keep(name, Ops.to(raw, type), scope);
        }
    }

    /** Everything asked for so far, by name. */
    public Map<String, Tensor> loaded() {
        return loaded;
    }

    /** The names that the checkpoint lacks and that were newly made. */
    public TreeSet<String> fresh() {
        return fresh;
    }

    /** The checkpoint's tensors that the architecture did not ask for. */
    public TreeSet<String> unused() {
        TreeSet<String> names = new TreeSet<>(source.names());
        names.removeAll(read);
        return names;
    }

    private Tensor keep(String name, Tensor tensor, Scope scope) {
        scope.release(tensor);
        loaded.put(name, tensor);
        return tensor;
    }

    private @Nullable String locate(String name) {
        if (source.names().contains(name)) {
            return name;
        }
        if (source.names().contains(prefix + name)) {
            return prefix + name;
        }
        if (name.startsWith(prefix) && source.names().contains(name.substring(prefix.length()))) {
            return name.substring(prefix.length());
        }
        return null;
    }

    private void expect(String name, long[] found, long... shape) {
        if (!Arrays.equals(found, shape)) {
            throw new FormatException(
                    source.path(),
                    name + " has shape " + Arrays.toString(found) + ", expected " + Arrays.toString(shape)
                            + " by its configuration");
        }
    }

    /** The libtorch type that holds a stored type. */
    public static ScalarType type(TensorInfo info) {
        return switch (info.dtype()) {
            case F64 -> ScalarType.Double;
            case F32 -> ScalarType.Float;
            case F16 -> ScalarType.Half;
            case BF16 -> ScalarType.BFloat16;
            case F8_E4M3 -> ScalarType.Float8_e4m3fn;
            case F8_E5M2 -> ScalarType.Float8_e5m2;
            case I64 -> ScalarType.Long;
            case I32 -> ScalarType.Int;
            case I16 -> ScalarType.Short;
            case I8 -> ScalarType.Char;
            case U8 -> ScalarType.Byte;
            case BOOL -> ScalarType.Bool;
        };
    }

    /** The stored type that holds a libtorch type. */
    public static DType dtype(Tensor tensor) {
        return switch (tensor.scalar_type().intern()) {
            case Double -> DType.F64;
            case Float -> DType.F32;
            case Half -> DType.F16;
            case BFloat16 -> DType.BF16;
            case Long -> DType.I64;
            case Int -> DType.I32;
            case Short -> DType.I16;
            case Char -> DType.I8;
            case Byte -> DType.U8;
            case Bool -> DType.BOOL;
            default -> throw new IllegalArgumentException("no stored type for " + tensor.scalar_type());
        };
    }
}
