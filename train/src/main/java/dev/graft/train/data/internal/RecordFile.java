package dev.graft.train.data.internal;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Sha256;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.internal.RecordScanner.RawRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A data file with random access to its records. Opening reads the file once; afterwards each record is read alone, so that the file may be
 * larger than memory (16 bytes for each record are kept).
 */
final class RecordFile implements RecordSource {
    private static final Pattern JSON_ERROR = Pattern.compile("(?s):([0-9]+):([0-9]+): (.*)");

    private final Path file;
    private final DataFileContent content;
    private List<String> columns = List.of();
    private long[] offsets = new long[1024];
    private int[] lengths = new int[1024];
    private int[] lines = new int[1024];
    private int size;
    private String sha256 = "";

    private RecordFile(Path file, DataFileContent content) {
        this.file = file;
        this.content = content;
    }

    /**
     * @param visitor sees every record with its number, in order
     * @throws InputException naming the line that breaks the format
     */
    static RecordFile open(Path file, BiConsumer<RecordSource, ObjectNode> visitor) {
        if (!Files.isRegularFile(file)) {
            throw new FormatException(file, Files.exists(file) ? "is not a file" : "there is no such file");
        }
        RecordFile records = null;
        boolean complete = false;
        try {
            records = new RecordFile(file, DataFileContent.open(file));
            records.scan(visitor);
            complete = true;
            return records;
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        } finally {
            if (records != null && !complete) {
                records.close();
            }
        }
    }

    private void scan(BiConsumer<RecordSource, ObjectNode> visitor) throws IOException {
        MessageDigest sha = Sha256.digest();
        RecordScanner scanner = content.format()
                .scanner(new ByteReader(file, new DigestInputStream(Channels.newInputStream(content.channel()), sha)));
        if (isTable()) {
            RawRecord header = scanner.next();
            if (header != null) {
                columns = header(header);
            }
        }
        for (RawRecord rawRecord = scanner.next(); rawRecord != null; rawRecord = scanner.next()) {
            if (size == offsets.length) {
                int capacity = Math.addExact(size, size / 2);
                offsets = Arrays.copyOf(offsets, capacity);
                lengths = Arrays.copyOf(lengths, capacity);
                lines = Arrays.copyOf(lines, capacity);
            }
            offsets[size] = rawRecord.offset();
            lengths[size] = rawRecord.bytes().length;
            lines[size] = rawRecord.line();
            size++;
            visitor.accept(this, parse(rawRecord.bytes(), rawRecord.line()));
        }
        sha256 = HexFormat.of().formatHex(sha.digest());
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String format() {
        return content.title();
    }

    /** Returns whether the first line names columns. */
    private boolean isTable() {
        return isTextOnly() && content.format() != DataFileFormat.COLUMNS;
    }

    @Override
    public boolean isTextOnly() {
        return !content.format().isJson();
    }

    @Override
    public String sha256() {
        return sha256;
    }

    @Override
    public String place(int index) {
        return at(lines[index]);
    }

    private String at(int line) {
        return file + ":" + line;
    }

    @Override
    public ObjectNode get(int index) {
        ByteBuffer bytes = ByteBuffer.allocate(lengths[index]);
        try {
            while (bytes.hasRemaining()) {
                if (content.channel().read(bytes, offsets[index] + bytes.position()) < 0) {
                    throw new FormatException(file, "became shorter while it was in use");
                }
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + place(index), e);
        }
        return parse(bytes.array(), lines[index]);
    }

    @Override
    public PictureSource picture(String name, String place) {
        return PictureSource.of(named("picture", name, place));
    }

    @Override
    public Path sound(String name, String place) {
        return named("recording", name, place);
    }

    private Path named(String what, String name, String place) {
        try {
            Path path = file.resolveSibling(name);
            if (Files.isRegularFile(path)) {
                return path;
            }
            throw new FormatException(place, "there is no " + what + " " + path, null);
        } catch (InvalidPathException e) {
            throw new FormatException(place, "\"" + name + "\" is no name of a file", e);
        }
    }

    private ObjectNode parse(byte[] bytes, int line) {
        return content.format() == DataFileFormat.COLUMNS
                ? ConllScanner.row(text(bytes, line), file.toString(), line)
                : isTable() ? cells(bytes, line) : object(bytes, line);
    }

    private ObjectNode object(byte[] bytes, int line) {
        JsonNode value;
        try {
            value = Json.parseWithNaN("", bytes);
        } catch (FormatException e) {
            throw located(e, line);
        }
        if (value instanceof ObjectNode object) {
            return object;
        }
        throw new FormatException(at(line), "is not a JSON object but " + Json.compact(value), null);
    }

    /** The parser saw only this record; its line is counted from the record's. */
    private FormatException located(FormatException e, int line) {
        Matcher matcher = JSON_ERROR.matcher(String.valueOf(e.getMessage()));
        if (!matcher.matches()) {
            return e;
        }
        String what = matcher.group(3);
        if (content.format() == DataFileFormat.JSONL && what.contains("ends too early")) {
            what += " (expected a whole JSON object on each line)";
        }
        int number = line + Integer.parseInt(matcher.group(1)) - 1;
        String column = content.format() == DataFileFormat.JSONL ? ":" + matcher.group(2) : "";
        return new FormatException(at(number) + column, utf8Hint(what), e);
    }

    private static String utf8Hint(String what) {
        return what.contains("not valid UTF-8")
                ? what + "; if the file is in Latin-1: iconv -f ISO-8859-1 -t UTF-8 IN > OUT"
                : what;
    }

    private List<String> header(RawRecord rawRecord) {
        List<String> names = fields(rawRecord.bytes(), rawRecord.line());
        ObjectNode seen = JsonNodeFactory.instance.objectNode();
        List<String> named = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            String name =
                    names.get(i).isBlank() ? "column " + (i + 1) : names.get(i).strip();
            if (seen.has(name)) {
                throw new FormatException(at(rawRecord.line()), "the column \"" + name + "\" appears twice", null);
            }
            seen.put(name, i);
            named.add(name);
        }
        return named;
    }

    private ObjectNode cells(byte[] bytes, int line) {
        List<String> cells = fields(bytes, line);
        if (cells.size() != columns.size()) {
            throw new FormatException(
                    at(line),
                    "has " + cells.size() + " fields, the first line names " + columns.size() + " columns " + columns
                            + "; quote fields that hold a delimiter or a line end",
                    null);
        }
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        for (int i = 0; i < cells.size(); i++) {
            row.put(columns.get(i), cells.get(i));
        }
        return row;
    }

    private List<String> fields(byte[] bytes, int line) {
        return DelimitedScanner.fields(text(bytes, line), content.format().delimiter, at(line));
    }

    private String text(byte[] bytes, int line) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new FormatException(at(line), utf8Hint("not valid UTF-8"), e);
        }
    }

    @Override
    public void close() {
        try {
            content.channel().close();
        } catch (IOException e) {
            throw new FileAccessException("cannot close " + file, e);
        }
    }
}
