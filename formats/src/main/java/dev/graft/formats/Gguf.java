package dev.graft.formats;

import dev.graft.formats.internal.GgmlBlocks;
import dev.graft.formats.internal.NameHint;
import dev.graft.formats.internal.SmallFloats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The GGUF format, versions 2 and 3, little endian. As a {@link TensorSource} it shows plain types as they are and quantised tensors as F32,
 * decoded on each read. {@link #raw} returns the blocks themselves. Decodable: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, with the same bits as
 * llama.cpp and the {@code gguf} Python package. Source: {@code docs/gguf.md} of ggml-org/ggml.
 *
 * <pre>{@code
 * try (Gguf file = Gguf.open(Path.of("model.gguf"))) {
 *     String architecture = file.fields().string("general.architecture");
 *     float[] embeddings = file.dequantize("token_embd.weight");
 * }
 * }</pre>
 */
public final class Gguf implements TensorSource {

    /** Elements that one task decodes at a time, a multiple of every block size. */
    private static final int CHUNK_ELEMENTS = 1 << 16;

    private final MappedFile file;
    private final GgufHeader header;
    private final GgufFields fields;

    private Gguf(MappedFile file, GgufHeader header) {
        this.file = file;
        this.header = header;
        this.fields = new GgufFields(file.path().toString(), header.fields());
    }

    /**
     * Opens a file and checks everything before the data.
     *
     * @throws FormatException if there is no such file or it breaks the rules of the format
     */
    public static Gguf open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return new Gguf(file, GgufHeader.read(file));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /** The version of the format, 2 or 3. */
    public int version() {
        return header.version();
    }

    /** The key-value pairs. */
    public GgufFields fields() {
        return fields;
    }

    @Override
    public Set<String> names() {
        return header.tensors().keySet();
    }

    /** The storage type of a tensor. */
    public GgmlType type(String name) {
        return stored(name).type();
    }

    /**
     * Returns the name, the shape (row-major) and the type of {@link #bytes}: the stored one, or F32 for quantised tensors.
     */
    @Override
    public TensorInfo info(String name) {
        GgufHeader.TensorEntry tensor = stored(name);
        DType plain = tensor.type().toDType();
        return new TensorInfo(name, plain == null ? DType.F32 : plain, tensor.shape());
    }

    /** The stored bytes, a view of the mapped file; rows of quantised blocks follow one another. */
    public ByteBuffer raw(String name) {
        GgufHeader.TensorEntry tensor = stored(name);
        return file.view(tensor.start(), tensor.bytes(), "tensor " + name);
    }

    @Override
    public ByteBuffer bytes(String name) {
        if (stored(name).type().toDType() != null) {
            return raw(name);
        }
        long bytes = info(name).bytes();
        if (bytes > Integer.MAX_VALUE) {
            throw new FormatException(
                    path(),
                    "tensor " + name + " has " + bytes
                            + " bytes as F32; more than 2147483647 in one tensor cannot be read");
        }
        ByteBuffer decoded = ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
        dequantize(name, decoded.asFloatBuffer());
        return decoded.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        GgufHeader.TensorEntry tensor = stored(name);
        if (tensor.type().toDType() != null) {
            file.read(tensor.start(), tensor.bytes(), into);
        } else {
            ByteBuffer target = into.slice().order(ByteOrder.LITTLE_ENDIAN);
            dequantize(name, target.asFloatBuffer());
            into.position(into.position() + Math.toIntExact(info(name).bytes()));
        }
    }

    /** All values as float32, row-major. */
    public float[] dequantize(String name) {
        float[] values = new float[elements(stored(name))];
        dequantize(name, FloatBuffer.wrap(values));
        return values;
    }

    /** The values of a matrix's first rows as float32. */
    public float[] firstRows(String name, int rows) {
        long[] shape = info(name).shape();
        if (shape.length != 2 || rows < 0 || rows > shape[0]) {
            throw new IllegalArgumentException(info(name) + " has no " + rows + " rows");
        }
        float[] values = new float[Math.toIntExact(rows * shape[1])];
        decode(name, values.length, values.length, (part, at) -> System.arraycopy(part, 0, values, at, part.length));
        return values;
    }

    /** Writes all values as float32, row-major, from the start of a buffer. Its position does not move. */
    public void dequantize(String name, FloatBuffer into) {
        decode(name, elements(stored(name)), into.remaining(), (values, at) -> into.put(into.position() + at, values));
    }

    /** Writes all values as bfloat16, rounded to nearest even, row-major, from the start of a buffer. Its position does not move. */
    public void dequantizeToBfloat16(String name, ShortBuffer into) {
        decode(name, elements(stored(name)), into.remaining(), (values, at) -> {
            short[] rounded = new short[values.length];
            for (int i = 0; i < values.length; i++) {
                rounded[i] = SmallFloats.toBfloat16(values[i]);
            }
            into.put(into.position() + at, rounded);
        });
    }

    @FunctionalInterface
    private interface Sink {
        void put(float[] values, int at);
    }

    private void decode(String name, int elements, int room, Sink sink) {
        GgufHeader.TensorEntry tensor = stored(name);
        if (room < elements) {
            throw new IllegalArgumentException(elements + " elements do not fit into a buffer with " + room);
        }
        GgmlBlocks.Decoder decoder = tensor.type().decoder();
        DType plain = tensor.type().toDType();
        if (decoder == null && plain == null) {
            throw new FormatException(
                    path(),
                    "tensor " + name + " is " + tensor.type()
                            + ", which cannot be decoded; use a file quantised to Q4_0 to Q8_0 or Q2_K to Q6_K");
        }
        // Read calls instead of a view: if the file is cut meanwhile they fail cleanly.
        int blockElements = tensor.type().blockElements();
        int blockBytes = tensor.type().blockBytes();
        int chunks = elements / CHUNK_ELEMENTS + (elements % CHUNK_ELEMENTS == 0 ? 0 : 1);
        IntStream.range(0, chunks).parallel().forEach(chunk -> {
            int first = chunk * CHUNK_ELEMENTS;
            float[] values = new float[Math.min(CHUNK_ELEMENTS, elements - first)];
            int blocks = values.length / blockElements;
            byte[] in = file.copy(tensor.start() + (long) (first / blockElements) * blockBytes, blocks * blockBytes);
            if (decoder != null) {
                for (int block = 0; block < blocks; block++) {
                    decoder.decode(in, block * blockBytes, values, block * blockElements);
                }
            } else if (plain != null) {
                plain.toFloats(ByteBuffer.wrap(in), values, 0);
            }
            sink.put(values, first);
        });
    }

    private int elements(GgufHeader.TensorEntry tensor) {
        long elements = info(tensor.name()).elements();
        if (elements > Integer.MAX_VALUE - 8) {
            throw new FormatException(
                    path(), "tensor " + tensor.name() + " has " + elements + " elements, more than an array can have");
        }
        return (int) elements;
    }

    /** The key-value pairs as text; arrays only as their length. See {@link #fields} for the values. */
    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(fields.asText());
    }

    @Override
    public Path path() {
        return file.path();
    }

    private GgufHeader.TensorEntry stored(String name) {
        GgufHeader.TensorEntry tensor = header.tensors().get(name);
        if (tensor == null) {
            throw new FormatException(
                    path(),
                    "has no tensor \"" + name + "\""
                            + NameHint.hint(name, header.tensors().keySet()));
        }
        return tensor;
    }

    @Override
    public void close() {
        file.close();
    }
}
