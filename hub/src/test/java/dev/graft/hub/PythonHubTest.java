package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Python's huggingface_hub and ours on one cache and one server. */
@Tag("slow")
class PythonHubTest {
    static final String COMMIT = "89abcdef0123456789abcdef0123456789abcdef";
    static final Path VENV = Path.of("target/huggingface_hub-venv").toAbsolutePath();
    static final Path PYTHON = VENV.resolve("bin/python");

    @TempDir
    Path folder;

    final LocalHub hub = new LocalHub();
    final Map<String, String> environment = new HashMap<>(System.getenv());
    final byte[] weights = new byte[200_000];

    @BeforeAll
    static void install() throws Exception {
        Optional<Path> python = new HubEnvironment(System.getenv()).executable("python3");
        assumeTrue(python.isPresent(), "no python3 here");
        Path marker = VENV.resolve("ready");
        if (!Files.exists(marker)) {
            run(Map.of(), List.of(python.get().toString(), "-m", "venv", VENV.toString()));
            run(System.getenv(), List.of(PYTHON.toString(), "-m", "pip", "install", "-q", "huggingface_hub==2.4.0"));
            Files.createFile(marker);
        }
    }

    @BeforeEach
    void repository() {
        new Random(3).nextBytes(weights);
        hub.add("org/tiny", COMMIT)
                .file("README.md", "# Tiny")
                .file("config.json", "{\"model_type\":\"bert\"}")
                .file("tokenizer.json", "{}")
                .large("model.safetensors", weights);
        environment.put("HF_HOME", folder.resolve("hf").toString());
        environment.put("GRAFT_CACHE", folder.resolve("graft").toString());
        environment.put("HF_ENDPOINT", hub.endpoint());
        environment.put("HF_HUB_DISABLE_PROGRESS_BARS", "1");
        environment.put("HF_HUB_DISABLE_TELEMETRY", "1");
        environment.put("NO_PROXY", "127.0.0.1");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    @Test
    void pythonReadsOfflineWhatWeFetched() throws Exception {
        Path ours = fetch();
        environment.put("HF_HUB_OFFLINE", "1");
        hub.requests.clear();

        String printed = python("""
            from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
            print(hf_hub_download('org/tiny', 'model.safetensors'))
            print(snapshot_download('org/tiny', revision='main'))
            info = scan_cache_dir()
            print(len(info.warnings), [(r.repo_id, r.nb_files, [x.commit_hash for x in r.revisions]) for r in info.repos])
            """);

        assertThat(printed.lines())
                .containsExactly(
                        ours.resolve("model.safetensors").toString(),
                        ours.toString(),
                        "0 [('org/tiny', 3, ['" + COMMIT + "'])]");
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void pythonAddsWhatWeLeftOutToTheSameSnapshotAndFetchesNothingTwice() throws Exception {
        Path ours = fetch();
        hub.requests.clear();

        assertThat(python("from huggingface_hub import snapshot_download; print(snapshot_download('org/tiny'))"))
                .isEqualTo(ours.toString());

        assertThat(ours.resolve("README.md")).hasContent("# Tiny");
        assertThat(hub.requests).noneMatch(request -> request.server().equals("store"));
        assertThat(hub.paths()).doesNotContain("GET /org/tiny/resolve/" + COMMIT + "/config.json");
    }

    @Test
    void weUseWhatPythonFetchedWithoutFetchingAgain() throws Exception {
        String theirs = python("from huggingface_hub import snapshot_download; print(snapshot_download('org/tiny'))");
        hub.requests.clear();

        assertThat(fetch()).hasToString(theirs);
        assertThat(hub.paths()).containsExactly("GET /api/models/org/tiny/revision/main");
        hub.requests.clear();

        environment.put("HF_HUB_OFFLINE", "1");
        assertThat(fetch()).hasToString(theirs);
        assertThat(fetch("hf:org/tiny@" + COMMIT)).hasToString(theirs);
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void snapshotThatPythonFetchedOnlyInPartIsCompletedByUs() throws Exception {
        python("from huggingface_hub import hf_hub_download; hf_hub_download('org/tiny', 'config.json')");
        hub.requests.clear();

        assertThat(fetch().resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(hub.paths()).noneMatch(path -> path.endsWith("config.json"));
    }

    Path fetch() {
        return fetch("hf:org/tiny");
    }

    Path fetch(String source) {
        return new Hub(environment, DownloadProgress.SILENT).fetch(source);
    }

    String python(String script) throws Exception {
        return run(environment, List.of(PYTHON.toString(), "-c", script));
    }

    static String run(Map<String, String> environment, List<String> words) throws IOException, InterruptedException {
        ProcessBuilder builder =
                new ProcessBuilder(new ArrayList<>(words)).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("exit code of %s", words).isZero();
        return output.strip();
    }
}
