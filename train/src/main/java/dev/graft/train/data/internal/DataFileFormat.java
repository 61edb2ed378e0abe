package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Formats of data files, recognised by their first bytes, since file names can be wrong. */
enum DataFileFormat {
    JSONL("JSONL", '\0'),
    JSON_ARRAY("JSON array", '\0'),
    CSV("CSV", ','),
    SEMICOLONS("CSV with semicolons", ';'),
    TSV("TSV", '\t'),
    COLUMNS("CoNLL columns", ' ');

    /** Bytes at the beginning of a file that tell its format. */
    static final int HEAD = 1 << 16;

    private static final String READ =
            "data is read as JSONL, a JSON array, CSV, TSV, CoNLL columns (also in gzip, Zstandard, bzip2 or xz) or"
                    + " Parquet";

    final String title;
    final char delimiter;

    DataFileFormat(String title, char delimiter) {
        this.title = title;
        this.delimiter = delimiter;
    }

    boolean isJson() {
        return delimiter == '\0';
    }

    RecordScanner scanner(ByteReader in) {
        return switch (this) {
            case JSONL -> new LineScanner(in);
            case JSON_ARRAY -> new JsonArrayScanner(in);
            case COLUMNS -> new ConllScanner(in);
            case CSV, SEMICOLONS, TSV -> new DelimitedScanner(in, delimiter);
        };
    }

    static boolean isParquet(byte[] head) {
        return Compression.startsWith(head, 'P', 'A', 'R', '1');
    }

    /**
     * The format of a text.
     *
     * @param file for messages
     * @param head how it begins
     * @param name of the file without the suffix of a compression, in lower case
     */
    static DataFileFormat of(Path file, byte[] head, String name) {
        requireText(file, head);
        int start = Compression.startsWith(head, 0xef, 0xbb, 0xbf) ? 3 : 0;
        while (start < head.length && head[start] <= ' ' && head[start] >= 0) {
            start++;
        }
        if (start == head.length) {
            throw new FormatException(file, "has no rows");
        }
        if (isColumns(head, start, name)) {
            return COLUMNS;
        }
        if (head[start] == '{') {
            return JSONL;
        }
        if (head[start] == '[') {
            return JSON_ARRAY;
        }
        if (name.endsWith(".json") || name.endsWith(".jsonl") || name.endsWith(".ndjson")) {
            throw new FormatException(
                    file + ":1",
                    "starts with neither { nor [: expected one JSON object a line, or an array of objects",
                    null);
        }
        return delimited(head, start, name);
    }

    private static boolean isColumns(byte[] head, int start, String name) {
        if (name.matches(".*\\.(conll|bio|iob|iob2)")) {
            return true;
        }
        // The last line may be cut.
        int end = head.length;
        while (head.length == HEAD && end > start && head[end - 1] != '\n') {
            end--;
        }
        return ConllScanner.isIn(new String(head, start, end - start, StandardCharsets.UTF_8));
    }

    private static DataFileFormat delimited(byte[] head, int start, String name) {
        int[] counts = new int[128];
        for (int i = start; i < head.length && head[i] != '\n' && head[i] != '\r'; i++) {
            if (head[i] >= 0) {
                counts[head[i]]++;
            }
        }
        if (name.endsWith(".tsv") || name.endsWith(".tab") || counts['\t'] > 0 && counts[','] == 0) {
            return TSV;
        }
        return counts[','] == 0 && counts[';'] > 0 ? SEMICOLONS : CSV;
    }

    private static void requireText(Path file, byte[] head) {
        if (Compression.startsWith(head, 0xff, 0xfe) || Compression.startsWith(head, 0xfe, 0xff)) {
            throw new FormatException(file, "is in UTF-16; convert it: iconv -f UTF-16 -t UTF-8 IN > OUT");
        }
        // The second are the bytes of Arrow's stream format, which datasets writes.
        if (Compression.startsWith(head, 'A', 'R', 'R', 'O', 'W', '1')
                || Compression.startsWith(head, 0xff, 0xff, 0xff, 0xff)) {
            throw new FormatException(
                    file,
                    "is an Arrow file, which isn't read; write it as Parquet: python -c \"import datasets;"
                            + " datasets.load_from_disk('DIR')['train'].to_parquet('train.parquet')\"");
        }
        if (Compression.startsWith(head, 'P', 'K', 3, 4)) {
            throw new FormatException(file, "is a zip file or a spreadsheet; " + READ);
        }
        if (isParquet(head) || Compression.of(head) != null) {
            throw new FormatException(file, "is packed twice; unpack it once");
        }
        for (byte value : head) {
            if (value == 0) {
                throw new FormatException(file, "is binary; " + READ);
            }
        }
    }
}
