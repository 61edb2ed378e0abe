package dev.graft.peft;

import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.StoredTensors;
import dev.graft.tensor.Fused;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Staging;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A tensor of an adapter's file. */
final class FileTensor implements AutoCloseable {
    /** In what type the tensors of a file were asked for last. */
    static final class Asked {
        private volatile ScalarType type;

        /** @param expected in what type they are thought to be asked for first */
        Asked(ScalarType expected) {
            type = expected;
        }
    }

    private final TensorSource file;
    private final TensorInfo info;
    private final Asked asked;
    private @Nullable Tensor ahead;
    private boolean wanted = true;

    FileTensor(TensorSource file, String name, Asked asked) {
        this.file = file;
        this.info = file.info(name);
        this.asked = asked;
    }

    /** As the file has it. */
    String name() {
        return info.name();
    }

    TensorInfo info() {
        return info;
    }

    FormatException wrong(String what) {
        return new FormatException(file.path(), name() + " " + what);
    }

    /** Refuses another shape than the configuration and the base call for. */
    void requireShape(long... shape) {
        if (!Arrays.equals(info.shape(), shape)) {
            throw wrong("has shape " + Arrays.toString(info.shape()) + ", expected " + Arrays.toString(shape) + " by "
                    + AdapterFolder.CONFIG + " and the base");
        }
    }

    /** Its values in that type; finite ones, and whole ones in a type of whole numbers. */
    Tensor value(ScalarType type, Staging staging) {
        Tensor stored = take(type, staging);
        if (isOf(stored, type)) {
            return stored;
        }
        try (Scope scope = new Scope()) {
            scope.adopt(stored);
            Tensor value = Ops.to(stored, type);
            requireFinite(value);
            // PEFT on Windows writes whole numbers as floating-point ones.
            if (torch.isIntegralType(type, false)
                    && !Ops.to(value, stored.scalar_type()).equal(stored)) {
                throw wrong("has values that are not whole numbers of 32 bits");
            }
            return scope.release(value);
        }
    }

    private void requireFinite(Tensor values) {
        if (!Fused.isFinite(values)) {
            throw wrong("has values that are not finite");
        }
    }

    /** In that type or as the file has it. */
    private synchronized Tensor take(ScalarType type, Staging staging) {
        asked.type = type;
        Tensor known = ahead;
        wanted = false;
        ahead = null;
        if (known != null && !isOf(known, type) && !isOf(known, StoredTensors.type(info))) {
            known.close();
            known = null;
        }
        return known == null ? read(type, staging) : known;
    }

    private static boolean isOf(Tensor tensor, ScalarType type) {
        return tensor.scalar_type().value == type.value;
    }

    /** Reads the file, so that {@link #value} need not, where that wasn't asked for yet. */
    synchronized void readAhead(Staging staging) {
        if (wanted && ahead == null) {
            ahead = read(asked.type, staging);
        }
    }

    /**
     * In that type where both are of floating-point numbers, else as the file has it. By read calls: pages of a mapped file would count as memory of ours until
     * the mapping is collected.
     */
    private Tensor read(ScalarType type, Staging staging) {
        ScalarType stored = StoredTensors.type(info);
        boolean floats = info.dtype().isFloat() && info.dtype().bytes() > 1;
        try (Scope scope = new Scope()) {
            Tensor value = staging.tensor(
                    stored,
                    floats && torch.isFloatingType(type) ? type : stored,
                    bytes -> file.read(info.name(), bytes),
                    info.shape());
            if (floats) {
                requireFinite(value);
            }
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
