package dev.graft.formats;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/**
 * Named tensors in a file, read on demand. Safe for use by several threads.
 *
 * <pre>{@code
 * try (TensorSource file = Safetensors.open(Path.of("adapter_model.safetensors"))) {
 *     for (String name : file.names()) {
 *         System.out.println(file.info(name) + " starts with " + file.tensor(name).floats()[0]);
 *     }
 * }
 * }</pre>
 */
public interface TensorSource extends AutoCloseable {

    /** All names, in the order of the file. */
    Set<String> names();

    /**
     * @throws InputException if there is no such tensor; the message has the nearest name
     */
    TensorInfo info(String name);

    /**
     * Returns the values, row-major and little endian, read-only. The buffer is a view of the mapped file if the file stores the type as it is,
     * else a decoded copy. A view stays valid after {@link #close}. If the file is shortened meanwhile, Java code that reads the lost part gets
     * an {@link InternalError} and native code dies. Fill memory for native libraries by {@link #read}.
     *
     * @throws InputException if there is no such tensor or it has more than 2³¹-1 bytes
     * @throws FormatException if the file changed since it was opened
     */
    ByteBuffer bytes(String name);

    /**
     * Copies the values into a buffer with at least {@code info(name).bytes()} bytes remaining, and advances its position. Reads within a
     * millisecond share one check for changes of the file.
     *
     * @throws InputException if there is no such tensor
     * @throws FormatException if the file changed since it was opened, or while it is being read
     */
    default void read(String name, ByteBuffer into) {
        into.put(bytes(name));
    }

    /** The file's own metadata; for safetensors the {@code __metadata__} map. */
    Map<String, String> metadata();

    /** The file, or the index of a sharded one. */
    Path path();

    /** Returns the tensor with its values; see {@link #bytes}. */
    default TensorData tensor(String name) {
        return new TensorData(info(name), bytes(name));
    }

    @Override
    void close();
}
