package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.function.Function;

/**
 * The text of a data file: the file itself, or its uncompressed content in a temporary file that is deleted on close. It supports random
 * access.
 *
 * @param title the format in words
 */
record DataFileContent(FileChannel channel, DataFileFormat format, String title) {
    /** Text packs a hundredfold at best; what swells more is made to fill a disk. */
    private static final long MAX_EXPANSION = 1000;

    private static final long SMALL = 64L << 20;

    static DataFileContent open(Path file) throws IOException {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        byte[] head = head(file);
        Compression compression = Compression.of(head);
        if (compression != null) {
            String inner = name.endsWith(compression.suffix)
                    ? name.substring(0, name.length() - compression.suffix.length())
                    : name;
            return packed(
                    file,
                    inner,
                    format -> format.title + " (" + compression.title + ")",
                    out -> unpack(file, compression, out));
        }
        if (DataFileFormat.isParquet(head)) {
            return packed(file, "rows.jsonl", format -> "Parquet", out -> ParquetRows.write(file, out));
        }
        if (SquadRows.isIn(head)) {
            return packed(file, "rows.jsonl", format -> "SQuAD JSON", out -> SquadRows.write(file, out));
        }
        DataFileFormat format = DataFileFormat.of(file, head, name);
        return new DataFileContent(FileChannel.open(file, StandardOpenOption.READ), format, format.title);
    }

    private interface Writer {
        void write(OutputStream out) throws IOException;
    }

    /** @param title of what the text's own format is */
    private static DataFileContent packed(Path file, String name, Function<DataFileFormat, String> title, Writer writer)
            throws IOException {
        Path temporary = Files.createTempFile("graft-rows", ".tmp");
        boolean complete = false;
        try {
            try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(temporary))) {
                writer.write(out);
            }
            DataFileFormat format = DataFileFormat.of(file, head(temporary), name);
            FileChannel channel =
                    FileChannel.open(temporary, StandardOpenOption.READ, StandardOpenOption.DELETE_ON_CLOSE);
            complete = true;
            return new DataFileContent(channel, format, title.apply(format));
        } finally {
            if (!complete) {
                Files.delete(temporary);
            }
        }
    }

    private static void unpack(Path file, Compression compression, OutputStream out) throws IOException {
        long most = Math.max(SMALL, Math.multiplyExact(Files.size(file), MAX_EXPANSION));
        byte[] buffer = new byte[1 << 16];
        long written = 0;
        InputStream packed = Files.newInputStream(file);
        try (packed;
                InputStream in = stream(file, compression, packed)) {
            for (int count = read(file, compression, in, buffer);
                    count >= 0;
                    count = read(file, compression, in, buffer)) {
                written += count;
                if (written > most) {
                    throw new FormatException(
                            file, "unpacks to more than " + MAX_EXPANSION + " times its size; it isn't rows of text");
                }
                out.write(buffer, 0, count);
            }
        }
    }

    private static InputStream stream(Path file, Compression compression, InputStream packed) {
        try {
            return compression.unpack(packed);
        } catch (IOException | RuntimeException e) {
            throw damaged(file, compression, e);
        }
    }

    private static int read(Path file, Compression compression, InputStream in, byte[] buffer) {
        try {
            return in.read(buffer);
        } catch (IOException | RuntimeException e) {
            throw damaged(file, compression, e);
        }
    }

    /** The decoders have no type of their own for damage. */
    private static FormatException damaged(Path file, Compression compression, Exception e) {
        return new FormatException(
                file.toString(), "is damaged, or not " + compression.title + " to its end: " + e.getMessage(), e);
    }

    private static byte[] head(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(DataFileFormat.HEAD);
        }
    }
}
