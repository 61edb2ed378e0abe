package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.compressors.xz.XZCompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TarballTest {
    @TempDir
    Path folder;

    /** Entries as name, content, name, content, ... */
    static byte[] tar(String... namesAndContents) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            for (int i = 0; i < namesAndContents.length; i += 2) {
                byte[] content = namesAndContents[i + 1].getBytes(StandardCharsets.UTF_8);
                TarArchiveEntry entry = new TarArchiveEntry(namesAndContents[i], true);
                entry.setSize(content.length);
                tar.putArchiveEntry(entry);
                tar.write(content);
                tar.closeArchiveEntry();
            }
        }
        return bytes.toByteArray();
    }

    static byte[] gzip(byte[] content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(bytes)) {
            out.write(content);
        }
        return bytes.toByteArray();
    }

    static byte[] debian(String part, byte[] data) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ArArchiveOutputStream ar = new ArArchiveOutputStream(bytes)) {
            for (String name : new String[] {"debian-binary", part}) {
                byte[] content = name.equals(part) ? data : "2.0\n".getBytes(StandardCharsets.US_ASCII);
                ar.putArchiveEntry(new ArArchiveEntry(name, content.length));
                ar.write(content);
                ar.closeArchiveEntry();
            }
        }
        return bytes.toByteArray();
    }

    Path unpack(byte[] content) throws IOException {
        Path archive = Files.write(folder.resolve("a.tgz"), content);
        Path target = Files.createDirectories(folder.resolve("inner/target"));
        ArchiveExtractor.unpack(archive, target, DownloadProgress.SILENT);
        return target;
    }

    @Test
    void filesOfAGzippedTarComeOut() throws IOException {
        Path target = unpack(gzip(tar("package/data/a.json", "{}", "package/b", "text")));

        assertThat(target.resolve("package/data/a.json")).hasContent("{}");
        assertThat(target.resolve("package/b")).hasContent("text");
    }

    @Test
    void dataOfADebianPackageComesOut() throws IOException {
        ByteArrayOutputStream xz = new ByteArrayOutputStream();
        try (OutputStream out = new XZCompressorOutputStream(xz)) {
            out.write(tar("./usr/share/a.wav", "sound"));
        }

        assertThat(unpack(debian("data.tar.xz", xz.toByteArray())).resolve("usr/share/a.wav"))
                .hasContent("sound");
    }

    @Test
    void debianPackageWithoutDataOrPackedInAnotherWayIsRefused() {
        assertThatThrownBy(() -> unpack(debian("control.tar.xz", new byte[3])))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("has no data.tar");
        assertThatThrownBy(() -> unpack(debian("data.tar.lzma", new byte[3])))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("data.tar.lzma is packed in a way not known");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../x", "a/../../x", "/x", "a\\..\\x"})
    void namesThatCouldLeaveTheFolderAreRefused(String name) {
        assertThatThrownBy(() -> unpack(gzip(tar("fine", "1", name, "2")))).isInstanceOf(FormatException.class);
        assertThat(folder.resolve("inner/x")).doesNotExist();
    }

    @Test
    void linksAreRefused() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            TarArchiveEntry link = new TarArchiveEntry("evil", TarConstants.LF_SYMLINK);
            link.setLinkName("/etc/passwd");
            tar.putArchiveEntry(link);
            tar.closeArchiveEntry();
        }

        assertThatThrownBy(() -> unpack(gzip(bytes.toByteArray())))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("'evil' is neither a file nor a folder");
    }

    @Test
    void cutAndDamagedBytesAndRepeatedNamesAreRefused() throws IOException {
        byte[] whole = gzip(tar("a", "some text"));

        assertThatThrownBy(() -> unpack(Arrays.copyOf(whole, whole.length - 20)))
                .isInstanceOf(FormatException.class);
        assertThatThrownBy(() -> unpack(gzip(tar("b", "1", "b", "2"))))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("two entries claim 'b'");
    }

    @Test
    void archiveThatGrowsOutOfProportionIsStopped() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(bytes))) {
            TarArchiveEntry entry = new TarArchiveEntry("zeros");
            entry.setSize(80L << 20);
            tar.putArchiveEntry(entry);
            byte[] block = new byte[1 << 20];
            for (int i = 0; i < 80; i++) {
                tar.write(block);
            }
            tar.closeArchiveEntry();
        }

        assertThatThrownBy(() -> unpack(bytes.toByteArray()))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("more than 100 times its size");
    }
}
