package dev.graft.formats;

import dev.graft.formats.internal.JsonText;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonToken;

/**
 * The header of a safetensors file.
 *
 * @param entries by name, in the order of their data
 * @param dataStart the position that offsets count from
 */
record SafetensorsHeader(Map<String, Entry> entries, Map<String, String> metadata, long dataStart) {

    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final int MAX_TENSORS = 250_000;
    private static final int MAX_RANK = 64;
    private static final String METADATA = "__metadata__";

    /** The order of types in a file: widest alignment first; see {@code enum Dtype} of the reference library, backwards. */
    private static final List<DType> TYPE_ORDER = List.of(
            DType.I64,
            DType.F64,
            DType.F32,
            DType.I32,
            DType.BF16,
            DType.F16,
            DType.I16,
            DType.F8_E4M3,
            DType.F8_E5M2,
            DType.I8,
            DType.U8,
            DType.BOOL);

    /** A tensor and the place of its data, relative to the start of all data. */
    record Entry(TensorInfo info, long begin, long end) {}

    /** Reads and checks the header of a file. */
    static SafetensorsHeader read(MappedFile file) {
        Path path = file.path();
        if (file.size() < 8) {
            throw new FormatException(
                    path, "is too small for a safetensors file: " + file.size() + " bytes, expected at least 8");
        }
        long length =
                ByteBuffer.wrap(file.copy(0, 8)).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (length < 0 || length > MAX_HEADER_BYTES) {
            throw new FormatException(
                    path,
                    "header length is " + Long.toUnsignedString(length) + ", expected at most " + MAX_HEADER_BYTES
                            + "; this is not a safetensors file");
        }
        if (length > file.size() - 8) {
            throw new FormatException(
                    path,
                    "header length is " + length + ", but only " + (file.size() - 8)
                            + " bytes follow; the file is cut off or not a safetensors file");
        }
        byte[] json = file.copy(8, (int) length);
        if (length == 0 || json[0] != '{') {
            throw new FormatException(path, "header does not start with {; this is not a safetensors file");
        }
        Parser parser = new Parser(path, json);
        parser.parse();
        return new SafetensorsHeader(
                inOrderOfData(path, parser.entries, file.size() - 8 - length),
                Collections.unmodifiableMap(parser.metadata),
                8 + length);
    }

    /** Sorts by offset and checks that the data part is covered exactly. */
    private static Map<String, Entry> inOrderOfData(Path path, List<Entry> entries, long dataBytes) {
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        Map<String, Entry> ordered = new LinkedHashMap<>();
        long end = 0;
        for (Entry entry : entries) {
            String name = entry.info().name();
            if (entry.begin() != end) {
                throw new FormatException(
                        path,
                        "tensor " + name + " starts at offset " + entry.begin() + ", expected " + end + " ("
                                + (entry.begin() > end ? "bytes before it belong to no tensor" : "it overlaps another")
                                + ")");
            }
            end = entry.end();
            ordered.put(name, entry);
        }
        if (end != dataBytes) {
            throw new FormatException(
                    path,
                    "tensors end at offset " + end + ", but the file has " + dataBytes + " bytes of data; "
                            + (end > dataBytes ? "it is cut off" : "the rest belongs to no tensor"));
        }
        return ordered;
    }

    /** Returns the tensors in the order of a written file. */
    static List<TensorData> layout(Collection<TensorData> tensors) {
        List<TensorData> sorted = new ArrayList<>(tensors);
        sorted.sort(Comparator.comparingInt(
                        (TensorData tensor) -> TYPE_ORDER.indexOf(tensor.info().dtype()))
                .thenComparing(tensor -> tensor.info().name(), JsonText.BY_CODE_POINT));
        Set<String> names = new HashSet<>();
        for (TensorData tensor : sorted) {
            String name = tensor.info().name();
            if (name.equals(METADATA) || !names.add(name)) {
                throw new IllegalArgumentException(
                        name.equals(METADATA)
                                ? "a tensor cannot be called " + METADATA
                                : "two tensors are called " + name);
            }
        }
        return sorted;
    }

    /** Returns the length and the JSON of the header, padded with spaces to a multiple of eight bytes. */
    static ByteBuffer encode(List<TensorData> laidOut, Map<String, String> metadata) {
        StringBuilder json = new StringBuilder("{");
        if (!metadata.isEmpty()) {
            JsonText.string(json, METADATA, false);
            json.append(":{");
            Map<String, String> sorted = new TreeMap<>(JsonText.BY_CODE_POINT);
            sorted.putAll(metadata);
            sorted.forEach((key, value) -> {
                JsonText.string(json, key, false);
                json.append(':');
                JsonText.string(json, value, false);
                json.append(',');
            });
            json.setCharAt(json.length() - 1, '}');
            json.append(',');
        }
        long offset = 0;
        for (TensorData tensor : laidOut) {
            TensorInfo info = tensor.info();
            JsonText.string(json, info.name(), false);
            json.append(":{\"dtype\":\"").append(info.dtype()).append("\",\"shape\":");
            json.append(Arrays.toString(info.shape()).replace(" ", ""));
            json.append(",\"data_offsets\":[").append(offset).append(',');
            offset += info.bytes();
            json.append(offset).append("]},");
        }
        if (json.length() > 1) {
            json.setLength(json.length() - 1);
        }
        byte[] text = json.append('}').toString().getBytes(StandardCharsets.UTF_8);
        int padded = (text.length + 7) / 8 * 8;
        ByteBuffer header = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(padded).put(text);
        while (header.hasRemaining()) {
            header.put((byte) ' ');
        }
        return header.flip();
    }

    private static final class Parser {

        private final List<Entry> entries = new ArrayList<>();
        private final Set<String> names = new HashSet<>();
        private Map<String, String> metadata = Map.of();
        private final Path path;
        private final JsonTokenizer tokenizer;

        Parser(Path path, byte[] json) {
            this.path = path;
            this.tokenizer = new JsonTokenizer(path + " (header)", json, false);
        }

        void parse() {
            try (tokenizer) {
                tokenizer.require(tokenizer.next(), JsonToken.START_OBJECT, "an object");
                while (tokenizer.next() != JsonToken.END_OBJECT) {
                    String name = tokenizer.text();
                    if (!names.add(name)) {
                        throw tokenizer.error("the key \"" + name + "\" appears twice");
                    }
                    if (name.equals(METADATA)) {
                        metadata = metadata();
                    } else {
                        if (entries.size() == MAX_TENSORS) {
                            throw tokenizer.error("more than " + MAX_TENSORS + " tensors");
                        }
                        entries.add(entry(name));
                    }
                }
                tokenizer.requireEnd();
            }
        }

        private Map<String, String> metadata() {
            Map<String, String> result = new LinkedHashMap<>();
            tokenizer.require(tokenizer.next(), JsonToken.START_OBJECT, METADATA + " to be an object");
            while (tokenizer.next() != JsonToken.END_OBJECT) {
                String key = tokenizer.text();
                tokenizer.require(
                        tokenizer.next(),
                        JsonToken.VALUE_STRING,
                        METADATA + " to hold strings only, but \"" + key + "\" is none");
                if (result.put(key, tokenizer.text()) != null) {
                    throw tokenizer.error("the key \"" + key + "\" appears twice in " + METADATA);
                }
            }
            return result;
        }

        private Entry entry(String name) {
            tokenizer.require(tokenizer.next(), JsonToken.START_OBJECT, "an object for tensor " + name);
            DType dtype = null;
            long[] shape = null;
            long[] offsets = null;
            while (tokenizer.next() != JsonToken.END_OBJECT) {
                String field = tokenizer.text();
                boolean again;
                switch (field) {
                    case "dtype" -> {
                        again = dtype != null;
                        dtype = dtype(name);
                    }
                    case "shape" -> {
                        again = shape != null;
                        shape = sizes(name, field, MAX_RANK);
                    }
                    case "data_offsets" -> {
                        again = offsets != null;
                        offsets = sizes(name, field, 2);
                    }
                    default ->
                        throw tokenizer.error("tensor " + name + " has the unknown field \"" + field
                                + "\", expected dtype, shape and data_offsets");
                }
                if (again) {
                    throw tokenizer.error("tensor " + name + ": the key \"" + field + "\" appears twice");
                }
            }
            return entry(name, dtype, shape, offsets);
        }

        private Entry entry(String name, @Nullable DType dtype, long @Nullable [] shape, long @Nullable [] offsets) {
            if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
                throw new FormatException(
                        path, "tensor " + name + " needs dtype, shape and data_offsets with a begin and an end");
            }
            if (offsets[1] < offsets[0]) {
                throw new FormatException(
                        path, "tensor " + name + " ends before it begins: data_offsets " + Arrays.toString(offsets));
            }
            TensorInfo info;
            try {
                info = new TensorInfo(name, dtype, shape);
            } catch (ArithmeticException e) {
                throw new FormatException(path.toString(), String.valueOf(e.getMessage()), e);
            }
            if (info.bytes() != offsets[1] - offsets[0]) {
                throw new FormatException(
                        path,
                        "tensor " + info + " needs " + info.bytes() + " bytes, its data_offsets "
                                + Arrays.toString(offsets) + " hold " + (offsets[1] - offsets[0]));
            }
            return new Entry(info, offsets[0], offsets[1]);
        }

        private DType dtype(String name) {
            tokenizer.require(tokenizer.next(), JsonToken.VALUE_STRING, "a string as dtype of tensor " + name);
            try {
                return DType.of(tokenizer.text());
            } catch (InputException e) {
                throw tokenizer.error("tensor " + name + ": " + e.getMessage());
            }
        }

        private long[] sizes(String name, String field, int max) {
            tokenizer.require(tokenizer.next(), JsonToken.START_ARRAY, "an array as " + field + " of tensor " + name);
            long[] sizes = new long[max];
            int count = 0;
            for (JsonToken token = tokenizer.next(); token != JsonToken.END_ARRAY; token = tokenizer.next()) {
                String whole = "whole numbers from 0 to 2^63-1 in " + field + " of tensor " + name;
                tokenizer.require(token, JsonToken.VALUE_NUMBER_INT, whole);
                Number size = tokenizer.number();
                if (!(size instanceof Integer || size instanceof Long) || size.longValue() < 0) {
                    throw tokenizer.error("expected " + whole + ", found " + tokenizer.text());
                }
                if (count == max) {
                    throw tokenizer.error("more than " + max + " numbers in " + field + " of tensor " + name);
                }
                sizes[count++] = size.longValue();
            }
            return Arrays.copyOf(sizes, count);
        }
    }
}
