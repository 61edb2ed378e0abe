package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArchiveExtractorTest {
    @TempDir
    Path folder;

    Path unpack(byte[] zip) throws IOException {
        Path archive = Files.write(folder.resolve("a.jar"), zip);
        Path target = Files.createDirectories(folder.resolve("inner/target"));
        ArchiveExtractor.unpack(archive, target, DownloadProgress.SILENT);
        return target;
    }

    @Test
    void filesAndFoldersComeOutAsTheyWentIn() throws IOException {
        Path target = unpack(Zips.of("empty/", "", "a/b/c.txt", "text", "d", ""));

        assertThat(target.resolve("a/b/c.txt")).hasContent("text");
        assertThat(target.resolve("d")).isEmptyFile();
        assertThat(target.resolve("empty")).isEmptyDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../x", "a/../../x", "/x", "//x", "a//x", "./x", "a\\..\\x", "C:x", "a/..", "x\0y"})
    void namesThatCouldLeaveTheFolderAreRefused(String name) {
        assertThatThrownBy(() -> unpack(Zips.of("fine", "1", name, "2")))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("a.jar");
        assertThat(folder.resolve("inner/x")).doesNotExist();
        assertThat(folder.resolve("x")).doesNotExist();
    }

    @Test
    void symbolicLinkIsRefused() {
        assertThatThrownBy(() -> unpack(Zips.link("evil", "/etc/passwd")))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("'evil' is a symbolic link");
    }

    @Test
    void linksAreSeenBehindAZip64EndRecordToo() throws IOException {
        String[] entries = new String[2 * 66_000];
        for (int i = 0; i < entries.length; i += 2) {
            entries[i] = "e" + i;
            entries[i + 1] = "";
        }
        byte[] zip = Zips.linked(Zips.of(entries));
        assertThat(new String(zip, StandardCharsets.ISO_8859_1)).contains("PK\6\6");

        assertThat(ZipSymlinks.symbolicLinks(Files.write(folder.resolve("many.jar"), zip)))
                .hasSize(66_000);
    }

    @Test
    void secondEntryOfTheSameNameIsRefused() {
        assertThatThrownBy(() -> unpack(Zips.twice("config.json")))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("config.json");
    }

    @Test
    void fileThatIsAlsoAFolderIsRefused() {
        assertThatThrownBy(() -> unpack(Zips.of("a", "1", "a/b", "2"))).isInstanceOf(FormatException.class);
    }

    @Test
    void archiveThatGrowsOutOfProportionIsStopped() throws IOException {
        Path bomb = Zips.bomb(folder.resolve("bomb.jar"), 200L << 20);

        assertThatThrownBy(() -> ArchiveExtractor.unpack(
                        bomb, Files.createDirectory(folder.resolve("t")), DownloadProgress.SILENT))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("more than 100 times its size");
        assertThat(folder.resolve("t/zeros").toFile().length()).isLessThan(70L << 20);
    }

    @Test
    void bytesThatAreNoZipAreRefused() {
        assertThatThrownBy(() -> unpack("not a zip".getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("not a zip");
        byte[] cut = Zips.of("a", "some text");
        assertThatThrownBy(() -> unpack(java.util.Arrays.copyOf(cut, cut.length - 5)))
                .isInstanceOf(FormatException.class);
    }
}
