package dev.graft.formats;

import dev.graft.formats.internal.ProtoReader;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A SentencePiece {@code .model} file: pieces with their scores, and the normalisation of a text before it is split. Field numbers are those of
 * {@code sentencepiece_model.proto}.
 *
 * <pre>{@code SentencePiece model = SentencePiece.read(Path.of("tokenizer.model"));}</pre>
 *
 * @param kind the algorithm that splits a text
 * @param pieces in the order of their ids
 * @param byteFallback whether characters that no piece covers become bytes
 * @param unknown the id of the piece for uncovered characters
 * @param begin the id of the piece that begins a text, -1 for none
 * @param end the id of the piece that ends a text, -1 for none
 * @param padding the id of the piece that fills up a batch, -1 for none
 * @param normaliser the compiled rules of normalisation; empty for none
 * @param dummyPrefix whether a space is put before a text
 * @param singleSpaces whether spaces at the ends are removed, and runs of spaces shortened to one
 */
@SuppressWarnings("ArrayRecordComponent") // handed over whole
public record SentencePiece(
        Kind kind,
        List<Piece> pieces,
        boolean byteFallback,
        int unknown,
        int begin,
        int end,
        int padding,
        byte[] normaliser,
        boolean dummyPrefix,
        boolean singleSpaces) {
    public SentencePiece {
        pieces = List.copyOf(pieces);
    }

    /**
     * The algorithm that splits a text: the likeliest pieces by their scores, or merges of pairs in the order of their scores.
     */
    public enum Kind {
        UNIGRAM,
        BPE
    }

    /** The kinds of a piece, in the order of their numbers in the file, from 1. */
    public enum Type {
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE;

        /**
         * Returns the type of that number.
         *
         * @throws FormatException for an unknown number
         */
        public static Type of(long number, String source) {
            if (number < 1 || number > values().length) {
                throw new FormatException(
                        source, "a piece has type " + number + ", expected one from 1 to " + values().length, null);
            }
            return values()[(int) number - 1];
        }
    }

    /** A piece of text; a space is U+2581. */
    public record Piece(String text, float score, Type type) {}

    /**
     * Reads a file.
     *
     * @throws FormatException if it breaks the rules of the format
     */
    public static SentencePiece read(Path path) {
        try (MappedFile file = MappedFile.open(path)) {
            return new Reader(path).read(ByteBuffer.wrap(file.copy(0, whole(path, file))));
        } catch (ProtoReader.Malformed e) {
            throw new FormatException(path.toString(), "is not a SentencePiece model: " + e.getMessage(), e);
        }
    }

    private static int whole(Path path, MappedFile file) {
        if (file.size() > 1 << 28) {
            throw new FormatException(
                    path, "has " + file.size() + " bytes, a SentencePiece model has at most " + (1 << 28));
        }
        return (int) file.size();
    }

    private static final class Reader {
        private final Path path;
        private final List<Piece> pieces = new ArrayList<>();
        private long kind = 1;
        private boolean byteFallback;
        private boolean suffix;
        private long unknown;
        private long begin = 1;
        private long end = 2;
        private long padding = -1;
        private byte[] normaliser = {};
        private boolean dummyPrefix = true;
        private boolean singleSpaces = true;
        private boolean escapes = true;

        Reader(Path path) {
            this.path = path;
        }

        SentencePiece read(ByteBuffer bytes) throws ProtoReader.Malformed {
            ProtoReader in = new ProtoReader(bytes);
            while (in.next()) {
                switch (in.field()) {
                    case 1 -> pieces.add(piece(in.message()));
                    case 2 -> trainer(in.message());
                    case 3 -> normaliser(in.message());
                    default -> in.skip();
                }
            }
            if (pieces.isEmpty()) {
                throw new FormatException(path, "is not a SentencePiece model: it has no pieces");
            }
            if (kind != 1 && kind != 2) {
                throw new FormatException(path, "has the model type " + kind + ", expected 1 (unigram) or 2 (BPE)");
            }
            if (suffix || !escapes) {
                throw new FormatException(
                        path,
                        "treats spaces in a way that isn't supported: "
                                + (suffix ? "treat_whitespace_as_suffix is true" : "escape_whitespaces is false"));
            }
            requirePiece("unk_id", unknown, 0);
            requirePiece("bos_id", begin, -1);
            requirePiece("eos_id", end, -1);
            requirePiece("pad_id", padding, -1);
            return new SentencePiece(
                    kind == 1 ? Kind.UNIGRAM : Kind.BPE,
                    pieces,
                    byteFallback,
                    (int) unknown,
                    (int) begin,
                    (int) end,
                    (int) padding,
                    normaliser,
                    dummyPrefix,
                    singleSpaces);
        }

        private void requirePiece(String field, long id, int least) {
            if (id < least || id >= pieces.size()) {
                throw new FormatException(
                        path, field + " is " + id + ", expected one of the " + pieces.size() + " pieces");
            }
        }

        private Piece piece(ProtoReader in) throws ProtoReader.Malformed {
            String text = "";
            float score = 0;
            long type = 1;
            while (in.next()) {
                switch (in.field()) {
                    case 1 -> text = in.string();
                    case 2 -> {
                        in.require(ProtoReader.FIXED32);
                        score = Float.intBitsToFloat(in.fixed32());
                    }
                    case 3 -> type = number(in);
                    default -> in.skip();
                }
            }
            if (text.isEmpty() || !Float.isFinite(score)) {
                throw new FormatException(
                        path, "piece " + pieces.size() + " is \"" + text + "\" with the score " + score);
            }
            return new Piece(text, score, Type.of(type, path.toString()));
        }

        private void trainer(ProtoReader in) throws ProtoReader.Malformed {
            while (in.next()) {
                switch (in.field()) {
                    case 3 -> kind = number(in);
                    case 24 -> suffix = number(in) != 0;
                    case 35 -> byteFallback = number(in) != 0;
                    case 40 -> unknown = number(in);
                    case 41 -> begin = number(in);
                    case 42 -> end = number(in);
                    case 43 -> padding = number(in);
                    default -> in.skip();
                }
            }
        }

        private void normaliser(ProtoReader in) throws ProtoReader.Malformed {
            while (in.next()) {
                switch (in.field()) {
                    case 2 -> {
                        ByteBuffer bytes = in.bytes();
                        normaliser = new byte[bytes.remaining()];
                        bytes.get(normaliser);
                    }
                    case 3 -> dummyPrefix = number(in) != 0;
                    case 4 -> singleSpaces = number(in) != 0;
                    case 5 -> escapes = number(in) != 0;
                    default -> in.skip();
                }
            }
        }

        private static long number(ProtoReader in) throws ProtoReader.Malformed {
            in.require(ProtoReader.VARINT);
            return in.varint();
        }
    }
}
