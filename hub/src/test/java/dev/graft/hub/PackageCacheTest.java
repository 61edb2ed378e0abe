package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackageCacheTest {
    static final Source SOURCE = new Source.Maven("g", "a", "1");
    static final Path KEY = Path.of("maven", "g", "a", "1");

    @TempDir
    Path root;

    final AtomicInteger fetches = new AtomicInteger();

    Path files(Source source, byte[] jar) {
        return new PackageCache(root).files(source, KEY, DownloadProgress.SILENT, (work, destination, bytes) -> {
            fetches.incrementAndGet();
            write(destination.resolve("a-1.jar"), jar);
        });
    }

    static void write(Path file, byte[] content) {
        try {
            Files.write(file, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void packageIsFetchedOnceAndMarkedWithItsOrigin() {
        byte[] jar = Zips.of("model.onnx", "graph");

        Path files = files(SOURCE, jar);
        assertThat(files.resolve("model.onnx")).hasContent("graph");
        assertThat(files(SOURCE, jar)).isEqualTo(files);
        assertThat(fetches).hasValue(1);

        var marker = Json.read(files.resolveSibling("source.json"));
        assertThat(marker.path("source").asString()).isEqualTo("maven:g:a:1");
        assertThat(marker.path("artifact").asString()).isEqualTo("a-1.jar");
        assertThat(marker.path("sha256").asString()).isEqualTo(LocalHub.sha256(jar));
    }

    @Test
    void nothingButThePackageStaysInTheCache() throws IOException {
        files(SOURCE, Zips.of("a", "1"));
        try (Stream<Path> list = Files.walk(root.resolve("maven"))) {
            assertThat(list.filter(Files::isRegularFile)
                            .map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("a", "source.json");
        }
    }

    @Test
    void refusedArchiveLeavesNothingAndTheNextFetchStartsAfresh() {
        assertThatThrownBy(() -> files(SOURCE, Zips.of("../evil", "1"))).isInstanceOf(FormatException.class);
        assertThat(root.resolve(KEY)).doesNotExist();

        assertThat(files(SOURCE, Zips.of("good", "1")).resolve("good")).exists();
    }

    @Test
    void knownPackageWithAnotherChecksumIsNotUnpacked() {
        Source known = Source.parse("wordnet");
        byte[] other = Zips.of("data.noun", "changed");

        assertThatThrownBy(() -> files(known, other))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining(LocalHub.sha256(other))
                .hasMessageContaining(
                        Catalogue.artifact(known.toString()).orElseThrow().sha256());
        assertThat(root.resolve(KEY)).doesNotExist();
    }

    @Test
    void whatAKilledFetchLeftIsRemoved() throws IOException {
        Path left = Files.createDirectories(root.resolve("maven/g/a/.1.fetch/artifact"));
        Files.writeString(left.resolve("half.jar"), "half");

        assertThat(files(SOURCE, Zips.of("whole", "1")).resolve("whole")).exists();
        assertThat(root.resolve("maven/g/a/.1.fetch")).doesNotExist();
    }

    @Test
    void threadsThatWantTheSameFetchItOnce() {
        byte[] jar = Zips.of("a", "1");
        List<CompletableFuture<Path>> all = Stream.generate(
                        () -> CompletableFuture.supplyAsync(() -> files(SOURCE, jar)))
                .limit(8)
                .toList();

        assertThat(all.stream().map(CompletableFuture::join).distinct()).hasSize(1);
        assertThat(fetches).hasValue(1);
    }

    @Test
    void lockOfAnotherProcessIsWaitedForAndEndsWithItHoweverItDies() throws Exception {
        Path file = root.resolve("x.lock");
        Process holder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        LockHolder.class.getName(),
                        file.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            assertThat(holder.getInputStream().read()).isEqualTo('!');
            CompletableFuture<String> told = new CompletableFuture<>();
            CompletableFuture<Void> waiter = CompletableFuture.runAsync(() -> {
                try (LockFile lock = LockFile.acquire(file, (what, done, total) -> told.complete(what))) {
                    assertThat(lock).isNotNull();
                }
            });
            assertThat(told.get(10, TimeUnit.SECONDS)).contains("pid " + holder.pid() + " started 20");
            assertThat(waiter).isNotDone();

            holder.destroyForcibly().waitFor();

            waiter.get(10, TimeUnit.SECONDS);
            assertThat(Files.readString(file))
                    .contains("pid " + ProcessHandle.current().pid());
        } finally {
            holder.destroyForcibly();
        }
    }

    @Test
    void interruptingOneWhoWaitsLetsNobodyElseIn() throws Exception {
        Path file = root.resolve("x.lock");
        CompletableFuture<Void> next;
        try (LockFile held = LockFile.acquire(file, DownloadProgress.SILENT)) {
            assertThat(held).isNotNull();
            CompletableFuture<Throwable> refused = new CompletableFuture<>();
            Thread waiter = new Thread(() -> {
                try (LockFile lock = LockFile.acquire(file, DownloadProgress.SILENT)) {
                    refused.completeExceptionally(new AssertionError(lock));
                } catch (FetchException interrupted) {
                    refused.complete(interrupted);
                }
            });
            waiter.start();
            waiter.interrupt();
            assertThat(refused.get(10, TimeUnit.SECONDS)).hasMessageContaining("Interrupted while waiting for " + file);

            next = CompletableFuture.runAsync(
                    () -> LockFile.acquire(file, DownloadProgress.SILENT).close());
            Thread.sleep(300);
            assertThat(next).isNotDone();
        }
        next.get(10, TimeUnit.SECONDS);
    }

    /** Holds a lock until it is killed. */
    static final class LockHolder {
        public static void main(String[] args) throws Exception {
            try (LockFile lock = LockFile.acquire(Path.of(args[0]), DownloadProgress.SILENT)) {
                System.out.print('!');
                System.out.flush();
                Thread.sleep(60_000 + lock.hashCode() % 2);
            }
        }
    }

    @Test
    void checksumIsOfTheArtifactFile() throws IOException {
        Path file = Files.write(root.resolve("f"), Zips.of("a", "1"));
        assertThat(Fingerprint.of(file)).isEqualTo(LocalHub.sha256(Files.readAllBytes(file)));
    }
}
