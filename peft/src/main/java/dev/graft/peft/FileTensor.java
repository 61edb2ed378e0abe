package dev.graft.peft;

import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.StagingBuffer;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A tensor of an adapter's file. */
final class FileTensor implements AutoCloseable {
    /** The type in which the tensors of a file were last requested. */
    static final class RequestedType {
        private volatile ScalarType type;

        /** @param expected the type that is expected first */
        RequestedType(ScalarType expected) {
            type = expected;
        }
    }

    private final TensorSource file;
    private final TensorInfo info;
    private final RequestedType requestedType;
    private @Nullable Tensor ahead;
    private boolean wanted = true;

    FileTensor(TensorSource file, String name, RequestedType requestedType) {
        this.file = file;
        this.info = file.info(name);
        this.requestedType = requestedType;
    }

    /** Returns the tensor's name in the file. */
    String name() {
        return info.name();
    }

    TensorInfo info() {
        return info;
    }

    FormatException wrong(String what) {
        return new FormatException(file.path(), name() + " " + what);
    }

    /** Refuses another shape than that required by the configuration and the base. */
    void requireShape(long... shape) {
        if (!Arrays.equals(info.shape(), shape)) {
            throw wrong("has shape " + Arrays.toString(info.shape()) + ", expected " + Arrays.toString(shape) + " by "
                    + FolderLayout.CONFIG + " and the base");
        }
    }

    /** Returns its values in that type. Refuses values that aren't finite, and fractions in an integer type. */
    Tensor value(ScalarType type, StagingBuffer staging) {
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
        if (!FusedOps.isFinite(values)) {
            throw wrong("has values that are not finite");
        }
    }

    /** Returns the tensor in that type or in the file's. */
    private synchronized Tensor take(ScalarType type, StagingBuffer staging) {
        requestedType.type = type;
        Tensor known = ahead;
        wanted = false;
        ahead = null;
        if (known != null && !isOf(known, type) && !isOf(known, TensorConversion.type(info))) {
            known.close();
            known = null;
        }
        return known == null ? read(type, staging) : known;
    }

    private static boolean isOf(Tensor tensor, ScalarType type) {
        return tensor.scalar_type().value == type.value;
    }

    /** Reads the file before {@link #value} needs it, unless that was called already. */
    synchronized void readAhead(StagingBuffer staging) {
        if (wanted && ahead == null) {
            ahead = read(requestedType.type, staging);
        }
    }

    /**
     * Reads the tensor in that type where both are floating-point types, else in the file's. It uses read calls, since
     * pages of a mapped file would count as our memory until the mapping is collected.
     */
    private Tensor read(ScalarType type, StagingBuffer staging) {
        ScalarType stored = TensorConversion.type(info);
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

    /** Frees a tensor that was read ahead and never requested. */
    @Override
    public synchronized void close() {
        wanted = false;
        if (ahead != null) {
            ahead.close();
            ahead = null;
        }
    }
}
