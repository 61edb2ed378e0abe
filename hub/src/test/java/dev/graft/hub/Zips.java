package dev.graft.hub;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Archives for tests, good and bad. */
final class Zips {
    private Zips() {}

    /** Entries as name, content, name, content, ... */
    static byte[] of(String... namesAndContents) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            for (int i = 0; i < namesAndContents.length; i += 2) {
                zip.putNextEntry(new ZipEntry(namesAndContents[i]));
                zip.write(namesAndContents[i + 1].getBytes(StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return bytes.toByteArray();
    }

    /** Two entries whose names are the same, which Java's own writer refuses to make. */
    static byte[] twice(String name) {
        String other = "#" + name.substring(1);
        String text = new String(of(name, "1", other, "2"), StandardCharsets.ISO_8859_1).replace(other, name);
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** One entry that Unix tools would unpack as a symbolic link. */
    static byte[] link(String name, String to) {
        return linked(of(name, to));
    }

    /** The same archive with every entry marked as a symbolic link. */
    static byte[] linked(byte[] zip) {
        for (int i = 0; i < zip.length - 46; i++) {
            if (zip[i] == 'P' && zip[i + 1] == 'K' && zip[i + 2] == 1 && zip[i + 3] == 2) {
                zip[i + 5] = 3;
                zip[i + 40] = (byte) 0xFF;
                zip[i + 41] = (byte) 0xA1;
            }
        }
        return zip;
    }

    /** A few hundred kilobytes that unpack to this many zeros. */
    static Path bomb(Path file, long zeros) throws IOException {
        try (OutputStream out = Files.newOutputStream(file);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            zip.putNextEntry(new ZipEntry("zeros"));
            byte[] block = new byte[1 << 20];
            for (long n = 0; n < zeros; n += block.length) {
                zip.write(block);
            }
        }
        return file;
    }
}
