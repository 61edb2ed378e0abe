package dev.graft.hub;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * Finds the entries that a Unix zip marks as symbolic links, which {@link java.util.zip.ZipFile} does not report. Reads the central directory
 * (APPNOTE.TXT 4.3.12 to 4.3.16, zip64 included).
 */
final class ZipSymlinks {
    private static final int END = 0x06054b50;
    private static final int END_LENGTH = 22;
    private static final int END64_LOCATOR = 0x07064b50;
    private static final int END64_LOCATOR_LENGTH = 20;
    private static final int END64 = 0x06064b50;
    private static final int HEADER = 0x02014b50;
    private static final int HEADER_LENGTH = 46;
    private static final int UNIX = 3;
    private static final int FILE_TYPE = 0xF000;
    private static final int LINK = 0xA000;

    private ZipSymlinks() {}

    static Set<String> symbolicLinks(Path zip) throws IOException {
        try (FileChannel channel = FileChannel.open(zip)) {
            ByteBuffer directory = directory(zip, channel);
            Set<String> links = new HashSet<>();
            while (directory.remaining() >= HEADER_LENGTH) {
                int at = directory.position();
                if (directory.getInt(at) != HEADER) {
                    throw new FormatException(zip, "the zip directory is damaged at its byte " + at);
                }
                int madeBy = directory.get(at + 5);
                int nameLength = directory.getShort(at + 28) & 0xFFFF;
                int rest = (directory.getShort(at + 30) & 0xFFFF) + (directory.getShort(at + 32) & 0xFFFF);
                int mode = directory.getInt(at + 38) >>> 16;
                if (directory.remaining() < HEADER_LENGTH + nameLength + rest) {
                    throw new FormatException(zip, "the zip directory ends inside the entry at its byte " + at);
                }
                if (madeBy == UNIX && (mode & FILE_TYPE) == LINK) {
                    links.add(new String(directory.array(), at + HEADER_LENGTH, nameLength, StandardCharsets.UTF_8));
                }
                directory.position(at + HEADER_LENGTH + nameLength + rest);
            }
            return links;
        }
    }

    private static ByteBuffer directory(Path zip, FileChannel channel) throws IOException {
        long size = channel.size();
        ByteBuffer tail =
                read(channel, Math.max(0, size - END_LENGTH - 0xFFFF), (int) Math.min(size, END_LENGTH + 0xFFFF));
        for (int at = tail.limit() - END_LENGTH; at >= 0; at--) {
            if (tail.getInt(at) == END && at + END_LENGTH + (tail.getShort(at + 20) & 0xFFFF) == tail.limit()) {
                long end = size - tail.limit() + at;
                long length = tail.getInt(at + 12) & 0xFFFFFFFFL;
                if (at >= END64_LOCATOR_LENGTH && tail.getInt(at - END64_LOCATOR_LENGTH) == END64_LOCATOR) {
                    end = tail.getLong(at - END64_LOCATOR_LENGTH + 8);
                    ByteBuffer end64 = end < 0 || end > size - 56 ? null : read(channel, end, 56);
                    if (end64 == null || end64.getInt(0) != END64) {
                        throw new FormatException(zip, "its zip64 end record is not where the locator says");
                    }
                    length = end64.getLong(40);
                }
                if (length < 0 || length > end || length > Integer.MAX_VALUE - 8) {
                    throw new FormatException(
                            zip, "its zip directory of " + length + " bytes does not fit into the file");
                }
                return read(channel, end - length, (int) length);
            }
        }
        throw new FormatException(zip, "it is not a zip archive: it has no end record");
    }

    private static ByteBuffer read(FileChannel channel, long from, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) >= 0) {}
        return buffer.flip();
    }
}
