package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HfClientTest {
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    @TempDir
    Path folder;

    final LocalHub hub = new LocalHub();
    final Map<String, String> environment = new HashMap<>();
    final byte[] weights = new byte[300_000];

    @BeforeEach
    void repository() {
        new Random(7).nextBytes(weights);
        hub.add("org/tiny", COMMIT)
                .file(".gitattributes", "*.safetensors filter=lfs")
                .file("README.md", "# Tiny")
                .file("config.json", "{\"model_type\":\"bert\"}")
                .file("tokenizer.json", "{}")
                .file("1_Pooling/config.json", "{\"pooling\":\"mean\"}")
                .file("pytorch_model.bin", "a pickle")
                .file("onnx/model.onnx", "a graph")
                .large("model.safetensors", weights);
        environment.put("HOME", folder.toString());
        environment.put("HF_ENDPOINT", hub.endpoint());
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    Path fetch(String source) {
        return fetch(source, DownloadProgress.SILENT);
    }

    Path fetch(String source, DownloadProgress progress) {
        return new HfClient(new HubEnvironment(environment), progress, Duration.ofMillis(5))
                .fetch((Source.HuggingFace) Source.parse(source));
    }

    Path cached() {
        return folder.resolve(".cache/huggingface/hub/models--org--tiny");
    }

    Path incomplete() {
        return cached().resolve("blobs").resolve(LocalHub.sha256(weights) + ".incomplete");
    }

    @Test
    void snapshotHasTheNeededFilesAsRelativeLinksToBlobsNamedByTheirChecksum() throws IOException {
        Path snapshot = fetch("hf:org/tiny");

        assertThat(snapshot).isEqualTo(cached().resolve("snapshots").resolve(COMMIT));
        assertThat(new HfCache(cached().getParent(), cached()).present(COMMIT))
                .containsExactly("1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json");
        assertThat(snapshot.resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(Files.readSymbolicLink(snapshot.resolve("model.safetensors")))
                .isEqualTo(Path.of("../../blobs/" + LocalHub.sha256(weights)));
        assertThat(Files.readSymbolicLink(snapshot.resolve("1_Pooling/config.json")))
                .isEqualTo(Path.of("../../../blobs/"
                        + LocalHub.gitSha1("{\"pooling\":\"mean\"}".getBytes(StandardCharsets.UTF_8))));
        assertThat(cached().resolve("refs/main")).hasContent(COMMIT);
    }

    @Test
    void secondFetchOfABranchAsksOnlyForItsCommitAndOfACommitNothing() {
        fetch("hf:org/tiny");
        hub.requests.clear();

        fetch("hf:org/tiny");
        assertThat(hub.paths()).containsExactly("GET /api/models/org/tiny/revision/main");
        hub.requests.clear();

        assertThat(fetch("hf:org/tiny@" + COMMIT)).isDirectory();
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void revisionWithASlashIsOnePathElementOfTheRequestAndAFolderOfRefs() {
        fetch("hf:org/tiny@release/1");

        assertThat(hub.paths()).contains("GET /api/models/org/tiny/revision/release%2F1");
        assertThat(cached().resolve("refs/release/1")).hasContent(COMMIT);
    }

    @Test
    void tokenGoesToTheHubAndNotToTheStoreItRedirectsTo() {
        environment.put("HF_TOKEN", "hf_secret");
        hub.repositories.get("org/tiny").readToken = "hf_secret";

        fetch("hf:org/tiny");

        assertThat(hub.requests)
                .filteredOn(request -> request.server().equals("hub"))
                .isNotEmpty()
                .allSatisfy(request -> assertThat(request.authorization()).isEqualTo("Bearer hf_secret"));
        assertThat(hub.requests)
                .filteredOn(request -> request.server().equals("store"))
                .hasSize(1)
                .allSatisfy(request -> assertThat(request.authorization()).isEmpty());
    }

    @Test
    void tokenFileOfTheHuggingFaceHomeIsUsed() throws IOException {
        Path home = Files.createDirectories(folder.resolve("hf-home"));
        Files.writeString(home.resolve("token"), "hf_from_file\n");
        environment.put("HF_HOME", home.toString());
        hub.repositories.get("org/tiny").readToken = "hf_from_file";

        assertThat(fetch("hf:org/tiny")).startsWith(home.resolve("hub/models--org--tiny"));
        assertThat(hub.requests.get(0).authorization()).isEqualTo("Bearer hf_from_file");
    }

    @Test
    void renamedRepositoryIsFollowedWithinTheHub() {
        hub.add("org/new", COMMIT).file("tokenizer.json", "{\"renamed\":1}");
        hub.repositories.get("org/tiny").moved.put("tokenizer.json", "/org/new/resolve/" + COMMIT + "/tokenizer.json");

        assertThat(fetch("hf:org/tiny").resolve("tokenizer.json")).hasContent("{\"renamed\":1}");
    }

    @Test
    void brokenConnectionsAreResumedWhereTheyBroke() {
        hub.drops.addAll(List.of(100_000, 100_000));

        Path snapshot = fetch("hf:org/tiny@" + COMMIT, dropsOnlyTheWeights());

        assertThat(snapshot.resolve("model.safetensors")).hasBinaryContent(weights);
        List<String> ranges = hub.requests.stream()
                .filter(request -> request.server().equals("store"))
                .map(LocalHub.Request::range)
                .toList();
        assertThat(ranges).hasSize(3).startsWith("");
        // What was sent last may be lost with the connection.
        int first = start(ranges.get(1));
        assertThat(first).isBetween(50_000, 100_000);
        assertThat(start(ranges.get(2))).isBetween(first + 50_000, first + 100_000);
    }

    private static int start(String range) {
        assertThat(range).matches("bytes=[0-9]+-");
        return Integer.parseInt(range.substring(6, range.length() - 1));
    }

    /** The queue of drops is for the store; small files of the hub come first and must not use it up. */
    private DownloadProgress dropsOnlyTheWeights() {
        List<Integer> drops = new ArrayList<>(hub.drops);
        hub.drops.clear();
        boolean[] armed = {false};
        return (what, done, total) -> {
            if (!armed[0] && total == weights.length) {
                armed[0] = true;
                hub.drops.addAll(drops);
            }
        };
    }

    @Test
    void partOfAnEarlierRunIsContinued() throws IOException {
        Files.createDirectories(incomplete().getParent());
        Files.write(incomplete(), java.util.Arrays.copyOf(weights, 123_456));

        assertThat(fetch("hf:org/tiny").resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(hub.requests)
                .filteredOn(request -> request.server().equals("store"))
                .extracting(LocalHub.Request::range)
                .containsExactly("bytes=123456-");
        assertThat(incomplete()).doesNotExist();
    }

    @Test
    void partOfSomethingElseIsThrownAwayAndTheFileFetchedWhole() throws IOException {
        Files.createDirectories(incomplete().getParent());
        Files.write(incomplete(), new byte[1000]);

        assertThat(fetch("hf:org/tiny").resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(hub.requests)
                .filteredOn(request -> request.server().equals("store"))
                .extracting(LocalHub.Request::range)
                .containsExactly("bytes=1000-", "");
    }

    @Test
    void serverThatIgnoresRangesStillGivesTheRightFile() throws IOException {
        hub.ignoreRange = true;
        Files.createDirectories(incomplete().getParent());
        Files.write(incomplete(), java.util.Arrays.copyOf(weights, 50_000));

        assertThat(fetch("hf:org/tiny").resolve("model.safetensors")).hasBinaryContent(weights);
    }

    @Test
    void wrongChecksumIsRefusedAndNothingOfItStays() {
        hub.corrupt = 10;

        assertThatThrownBy(() -> fetch("hf:org/tiny@" + COMMIT))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("checksum");
        assertThat(cached().resolve("blobs")).isEmptyDirectory();
    }

    @Test
    void connectionThatGoesSilentIsGivenUpAndResumed() {
        environment.put("HF_HUB_DOWNLOAD_TIMEOUT", "1");
        hub.stallMillis = 4_000;
        hub.drops.add(100_000);

        long start = System.nanoTime();
        Path snapshot = fetch("hf:org/tiny@" + COMMIT, dropsOnlyTheWeights());

        assertThat(snapshot.resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isBetween(Duration.ofMillis(900), Duration.ofMillis(3_500));
    }

    @Test
    void busyHubIsAskedAgainAfterTheTimeItNames() {
        hub.faults.add(new LocalHub.Fault(503, Map.of()));
        hub.faults.add(new LocalHub.Fault(429, Map.of("Retry-After", "1")));

        long start = System.nanoTime();
        fetch("hf:org/tiny");

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofSeconds(1));
        assertThat(hub.paths())
                .startsWith(
                        "GET /api/models/org/tiny/revision/main",
                        "GET /api/models/org/tiny/revision/main",
                        "GET /api/models/org/tiny/revision/main");
    }

    @Test
    void hubThatStaysBrokenIsGivenUpWithItsStatus() {
        for (int i = 0; i < 5; i++) {
            hub.faults.add(new LocalHub.Fault(502, Map.of()));
        }
        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("502 5 times");
    }

    @Test
    void waitOfHoursIsNotWaited() {
        hub.faults.add(new LocalHub.Fault(429, Map.of("Retry-After", "7200")));

        assertThatThrownBy(() -> fetch("hf:org/tiny")).hasMessageContaining("asks to wait 7200 s");
    }

    @Test
    void missingRepositoryRevisionAndGateEachSayWhatToDo() {
        assertThatThrownBy(() -> fetch("hf:org/none"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no such repository")
                .hasMessageContaining("HF_TOKEN");
        assertThatThrownBy(() -> fetch("hf:org/tiny@v9"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no revision 'v9'");
        hub.repositories.get("org/tiny").gated = true;
        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("gated")
                .hasMessageContaining("https://huggingface.co/org/tiny")
                .hasMessageContaining("set HF_TOKEN");
    }

    @Test
    void refusedTokenIsNamedAsTheCause() {
        environment.put("HF_TOKEN", "hf_old");
        hub.repositories.get("org/tiny").readToken = "hf_new";

        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("refused the token")
                .hasMessageNotContaining("hf_old");
    }

    @Test
    void repositoryOfPicklesOnlyIsRefusedByTheirNamesBeforeAnyDownload() {
        hub.add("org/pickled", COMMIT).file("config.json", "{}").file("pytorch_model.bin", "x");

        assertThatThrownBy(() -> fetch("hf:org/pickled"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("only as pickle (pytorch_model.bin)");
        assertThat(hub.paths()).containsExactly("GET /api/models/org/pickled/revision/main");
    }

    @Test
    void shardsAreThoseThatTheIndexNames() {
        hub.add("org/sharded", COMMIT)
                .file("config.json", "{}")
                .file(
                        "model.safetensors.index.json",
                        "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\",\"b\":\"model-00002-of-00002.safetensors\"}}")
                .large("model-00001-of-00002.safetensors", new byte[] {1})
                .large("model-00002-of-00002.safetensors", new byte[] {2})
                .large("consolidated.safetensors", new byte[] {3});

        Path snapshot = fetch("hf:org/sharded");

        assertThat(snapshot.resolve("model-00002-of-00002.safetensors")).hasBinaryContent(new byte[] {2});
        assertThat(snapshot.resolve("consolidated.safetensors")).doesNotExist();
    }

    @Test
    void adapterRepositoryNeedsNoBaseConfig() {
        hub.add("org/adapter", COMMIT)
                .file("adapter_config.json", "{}")
                .large("adapter_model.safetensors", new byte[] {4});

        assertThat(fetch("hf:org/adapter").resolve("adapter_model.safetensors")).hasBinaryContent(new byte[] {4});
    }

    @Test
    void fileNameThatLeavesTheSnapshotIsRefused() {
        hub.repositories.get("org/tiny").file("../../evil.json", "{}");

        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("'../../evil.json'");
    }

    @Test
    void offlineUsesTheSnapshotAndAsksNothing() {
        Path online = fetch("hf:org/tiny");
        hub.requests.clear();
        environment.put("GRAFT_OFFLINE", "1");

        assertThat(fetch("hf:org/tiny")).isEqualTo(online);
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void offlineWithoutASnapshotNamesTheVariableAndThePlace() {
        environment.put("HF_HUB_OFFLINE", "yes");

        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("HF_HUB_OFFLINE")
                .hasMessageContaining(cached().toString());
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void interruptedSnapshotIsNotUsedOffline() {
        hub.corrupt = 10;
        assertThatThrownBy(() -> fetch("hf:org/tiny")).isInstanceOf(FetchException.class);
        environment.put("GRAFT_OFFLINE", "1");

        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .hasMessageContaining("lacks")
                .hasMessageContaining("weights");
    }

    @Test
    void unreachableHubLeavesTheCachedSnapshotUsable() {
        Path online = fetch("hf:org/tiny");
        hub.close();

        assertThat(fetch("hf:org/tiny")).isEqualTo(online);
        assertThatThrownBy(() -> fetch("hf:org/other"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("cannot reach " + hub.endpoint());
    }

    @Test
    void snapshotOfThePythonLibraryIsUsedAsItIs() throws IOException {
        Path snapshot = Files.createDirectories(cached().resolve("snapshots").resolve(COMMIT));
        Path blobs = Files.createDirectories(cached().resolve("blobs"));
        for (String name : List.of("config.json", "model.safetensors", "tokenizer.json")) {
            Files.writeString(blobs.resolve("blob-of-" + name), name);
            Files.createSymbolicLink(snapshot.resolve(name), Path.of("../../blobs/blob-of-" + name));
        }
        Files.createDirectories(cached().resolve("refs"));
        Files.writeString(cached().resolve("refs/main"), COMMIT);
        environment.put("HF_HUB_OFFLINE", "1");

        assertThat(fetch("hf:org/tiny").resolve("config.json")).hasContent("config.json");
    }

    @Test
    void progressRisesToTheSumOfTheWeights() {
        List<Long> seen = new ArrayList<>();
        fetch("hf:org/tiny", (what, done, total) -> {
            if (total == weights.length) {
                assertThat(what).isEqualTo("download hf:org/tiny");
                seen.add(done);
            }
        });
        assertThat(seen).isSorted().endsWith((long) weights.length);
    }

    @Test
    void endpointThatIsNoHubIsSaidToBeNone() {
        environment.put("HF_ENDPOINT", hub.storeUri() + "/x");
        environment.put("HF_TOKEN", "bad token");
        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("HF_TOKEN");
        environment.put("HF_ENDPOINT", "huggingface.co");
        assertThatThrownBy(() -> fetch("hf:org/tiny"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("HF_ENDPOINT is 'huggingface.co'");
    }
}
