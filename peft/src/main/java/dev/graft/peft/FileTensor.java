package dev.graft.peft;

import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.StoredTensors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A tensor of an adapter's file. */
final class FileTensor implements AutoCloseable {
    private final TensorSource file;
    private final String name;
    private final AtomicReference<@Nullable ScalarType> asked;
    private @Nullable Tensor ahead;
    private boolean wanted = true;

    FileTensor(TensorSource file, String name) {
        this(file, name, new AtomicReference<>());
    }

    /** @param asked the type in which a tensor beside it was asked for last */
    FileTensor(TensorSource file, String name, AtomicReference<@Nullable ScalarType> asked) {
        this.file = file;
        this.name = name;
        this.asked = asked;
    }

    /** As the file has it. */
    String name() {
        return name;
    }

    TensorInfo info() {
        return file.info(name);
    }

    FormatException wrong(String what) {
        return new FormatException(file.path(), name + " " + what);
    }

    /** Refuses another shape than the configuration and the base call for. */
    void requireShape(long... shape) {
        if (!Arrays.equals(info().shape(), shape)) {
            throw wrong("has shape " + Arrays.toString(info().shape()) + ", expected " + Arrays.toString(shape) + " by "
                    + AdapterFolder.CONFIG + " and the base");
        }
    }

    /** Its values in that type; finite ones, and whole ones in a type of whole numbers. */
    Tensor value(ScalarType type) {
        try (Scope scope = new Scope()) {
            Tensor stored = scope.adopt(take(type));
            Tensor value = Ops.to(stored, type);
            if (value != stored) {
                requireFinite(value);
            }
            // PEFT on Windows writes whole numbers as floating-point ones.
            if (torch.isIntegralType(type, false)
                    && !Ops.to(value, stored.scalar_type()).equal(stored)) {
                throw wrong("has values that are not whole numbers of 32 bits");
            }
            return scope.release(value);
        }
    }

    /** A sum is one pass and takes no memory, but may overflow. */
    private void requireFinite(Tensor values) {
        if (!Double.isFinite(values.sum().item_double())
                && !values.isfinite().all().item_bool()) {
            throw wrong("has values that are not finite");
        }
    }

    /** In that type or as the file has it. */
    private synchronized Tensor take(ScalarType type) {
        asked.set(type);
        Tensor known = ahead;
        wanted = false;
        ahead = null;
        if (known != null && !isOf(known, type) && !isOf(known, StoredTensors.type(info()))) {
            known.close();
            known = null;
        }
        return known == null ? read(type) : known;
    }

    private static boolean isOf(Tensor tensor, ScalarType type) {
        return tensor.scalar_type().value == type.value;
    }

    /** Reads the file, so that {@link #value} need not, where that wasn't asked for yet. */
    synchronized void readAhead() {
        if (wanted && ahead == null) {
            ScalarType type = asked.get();
            ahead = read(type == null ? StoredTensors.type(info()) : type);
        }
    }

    /**
     * In that type where both are of floating-point numbers, else as the file has it. By read calls: pages of a mapped file would count as memory of ours until
     * the mapping is collected.
     */
    private Tensor read(ScalarType type) {
        try (Scope scope = new Scope()) {
            Tensor stored = Tensors.empty(StoredTensors.type(info()), info().shape());
            file.read(name, Tensors.buffer(stored));
            if (!info().dtype().isFloat() || stored.element_size() == 1) {
                return scope.release(stored);
            }
            Tensor value = torch.isFloatingType(type) ? Ops.to(stored, type) : stored;
            requireFinite(value);
            return scope.release(value);
        }
    }

    /** Gives back what was read ahead and nobody asked for. */
    @Override
    public synchronized void close() {
        wanted = false;
        if (ahead != null) {
            ahead.close();
            ahead = null;
        }
    }
}
