package dev.graft.formats;

import dev.graft.formats.internal.NameHint;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The safetensors format: eight bytes with the length of a JSON header, the header with name, type, shape and offsets of every
 * tensor, then the data. Reading maps the file and copies nothing. Strict: offsets must cover the data part exactly, without holes
 * or overlaps, and shapes must agree with them; a key that appears twice is refused. Source: the reference implementation,
 * {@code huggingface/safetensors}, {@code safetensors/src/tensor.rs}.
 *
 * <pre>{@code
 * try (Safetensors file = Safetensors.open(Path.of("model.safetensors"))) {
 *     float[] weight = file.tensor("embeddings.word_embeddings.weight").floats();
 * }
 * }</pre>
 */
public final class Safetensors implements TensorSource {

    private final MappedFile file;
    private final SafetensorsHeader header;

    private Safetensors(MappedFile file, SafetensorsHeader header) {
        this.file = file;
        this.header = header;
    }

    /**
     * Opens a file and checks its header. {@link #close} releases the file handle; buffers obtained before stay readable.
     *
     * @throws FormatException if there is no such file or it breaks the rules of the format
     */
    public static Safetensors open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return new Safetensors(file, SafetensorsHeader.read(file));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /**
     * Writes a file, atomically; see {@link AtomicWrite#file}. The bytes depend on the content alone: tensors are ordered by decreasing alignment
     * of their type, then by name, as in the reference library. A file of that library, read and written again, is equal byte for byte.
     *
     * @param metadata the {@code __metadata__} map, for PEFT {@code {"format": "pt"}}; left out where empty
     */
    public static void write(Path path, Collection<TensorData> tensors, Map<String, String> metadata) {
        List<TensorData> sorted = SafetensorsHeader.layout(tensors);
        ByteBuffer header = SafetensorsHeader.encode(sorted, metadata);
        AtomicWrite.file(path, out -> {
            writeFully(out, header.duplicate());
            for (TensorData tensor : sorted) {
                writeFully(out, tensor.bytes());
            }
        });
    }

    private static void writeFully(WritableByteChannel out, ByteBuffer bytes) throws java.io.IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(header.entries().keySet());
    }

    @Override
    public TensorInfo info(String name) {
        return entry(name).info();
    }

    @Override
    public ByteBuffer bytes(String name) {
        SafetensorsHeader.Entry entry = entry(name);
        return file.view(header.dataStart() + entry.begin(), entry.info().bytes(), name);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        SafetensorsHeader.Entry entry = entry(name);
        file.read(header.dataStart() + entry.begin(), entry.info().bytes(), into);
    }

    @Override
    public Map<String, String> metadata() {
        return header.metadata();
    }

    @Override
    public Path path() {
        return file.path();
    }

    private SafetensorsHeader.Entry entry(String name) {
        SafetensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw new FormatException(
                    path(),
                    "has no tensor \"" + name + "\""
                            + NameHint.hint(name, header.entries().keySet()));
        }
        return entry;
    }

    @Override
    public void close() {
        file.close();
    }
}
