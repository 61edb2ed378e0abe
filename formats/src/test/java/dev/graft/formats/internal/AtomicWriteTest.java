package dev.graft.formats.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.graft.formats.AtomicWrite;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicWriteTest {

    @TempDir
    Path root;

    @AfterEach
    void noObserver() {
        FileOperations.observer = (operation, path) -> {};
    }

    @Test
    void filesAndFoldersAreReplaced() throws IOException {
        Path file = root.resolve("made/here/a.txt");
        AtomicWrite.text(file, "one");
        AtomicWrite.text(file, "zwei ü");
        assertThat(file).hasContent("zwei ü");
        Path folder = root.resolve("adapter");
        writeFolder(folder, "old");
        writeFolder(folder, "new");
        assertThat(contentOf(folder)).isEqualTo("new");
        assertThat(namesIn(root)).containsExactly("adapter", "made");
        assertThat(namesIn(file.getParent())).containsExactly("a.txt");
    }

    @Test
    void aSymbolicLinkIsFollowed() throws IOException {
        Path real = Files.writeString(root.resolve("real"), "old");
        Path link = Files.createSymbolicLink(root.resolve("link"), real);
        AtomicWrite.text(link, "new");
        assertThat(link).isSymbolicLink().hasContent("new");
        assertThat(real).hasContent("new");
    }

    @Test
    void anExceptionOfTheCallerLeavesWhatWasThere() throws IOException {
        Path file = root.resolve("a.txt");
        AtomicWrite.text(file, "old");
        assertThatThrownBy(() -> AtomicWrite.file(file, out -> {
                    out.write(ByteBuffer.wrap(new byte[10]));
                    throw new IllegalStateException("mine");
                }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("mine");
        assertThat(file).hasContent("old");
        assertThat(namesIn(root)).containsExactly("a.txt");
    }

    @Test
    void aFullDiskAtAnyStepOfAFileLeavesTheOldOrTheNewOne() throws IOException {
        Path file = root.resolve("a.txt");
        for (int step = 1; ; step++) {
            AtomicWrite.text(file, "old");
            if (!failsAt(step, () -> AtomicWrite.text(file, "new"), file)) {
                assertThat(step).isGreaterThan(4);
                break;
            }
            assertThat(Files.readString(file)).isIn("old", "new");
            assertThat(namesIn(root)).containsExactly("a.txt");
        }
    }

    @Test
    void aFullDiskAtAnyStepOfAFolderLeavesTheOldOrTheNewOne() throws IOException {
        Path folder = root.resolve("adapter");
        for (int step = 1; ; step++) {
            writeFolder(folder, "old");
            if (!failsAt(step, () -> writeFolder(folder, "new"), folder)) {
                assertThat(step).isGreaterThan(15);
                break;
            }
            assertThat(contentOf(folder)).isIn("old", "new");
        }
    }

    /** Returns whether the step was reached; then the write must fail and say what happened. */
    private static boolean failsAt(int step, Runnable write, Path target) {
        AtomicInteger count = new AtomicInteger();
        FileOperations.observer = (operation, path) -> {
            if (count.incrementAndGet() == step) {
                throw new IOException("No space left on device");
            }
        };
        Throwable thrown = catchThrowable(write::run);
        FileOperations.observer = (operation, path) -> {};
        if (count.get() < step) {
            assertThat(thrown).isNull();
            return false;
        }
        assertThat(thrown)
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining(target.getFileName().toString())
                .hasMessageContaining(": No space left on device; ");
        return true;
    }

    @Test
    void deathAtAnyStepLeavesTheOldOrTheNewOne() throws IOException {
        for (boolean folders : new boolean[] {false, true}) {
            for (int step = 1; ; step++) {
                Path target = root.resolve((folders ? "folder" : "file") + step).resolve("target");
                write(folders, target, "old");
                AtomicInteger count = new AtomicInteger();
                int last = step;
                // From this step on nothing reaches the disk any more, clean-up included.
                FileOperations.observer = (operation, path) -> {
                    if (count.incrementAndGet() >= last) {
                        throw new AssertionError("dead");
                    }
                };
                Throwable thrown = catchThrowable(() -> write(folders, target, "new"));
                FileOperations.observer = (operation, path) -> {};
                AtomicWrite.recover(target);
                assertThat(folders ? contentOf(target) : Files.readString(target))
                        .isIn("old", "new");
                write(folders, target, "next");
                assertThat(folders ? contentOf(target) : Files.readString(target))
                        .isEqualTo("next");
                if (thrown == null) {
                    break;
                }
            }
        }
    }

    @Test
    @Tag("slow")
    void aProcessHaltedAtAnyStepLeavesTheOldOrTheNewOneAndItsRestIsRemovedLater() throws Exception {
        for (int step = 1; ; step++) {
            Path target = root.resolve("process" + step).resolve("target");
            writeFolder(target, "old");
            Process child = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xshare:auto",
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Halted.class.getName(),
                            target.toString(),
                            Integer.toString(step))
                    .inheritIO()
                    .start();
            int exit = child.waitFor();
            AtomicWrite.recover(target);
            assertThat(contentOf(target)).isIn("old", "new");
            writeFolder(target, "next");
            assertThat(contentOf(target)).isEqualTo("next");
            assertThat(namesIn(target.getParent())).containsExactly("target");
            if (exit == 0) {
                assertThat(step).isGreaterThan(15);
                break;
            }
            assertThat(exit).isEqualTo(9);
        }
    }

    /** Writes a folder and halts at the k-th step. */
    static final class Halted {
        public static void main(String[] arguments) {
            AtomicInteger count = new AtomicInteger();
            int last = Integer.parseInt(arguments[1]);
            FileOperations.observer = (operation, path) -> {
                if (count.incrementAndGet() == last) {
                    Runtime.getRuntime().halt(9);
                }
            };
            writeFolder(Path.of(arguments[0]), "new");
        }
    }

    private static void write(boolean folder, Path target, String content) {
        if (folder) {
            writeFolder(target, content);
        } else {
            AtomicWrite.text(target, content);
        }
    }

    private static void writeFolder(Path folder, String content) {
        AtomicWrite.folder(folder, temporary -> {
            AtomicWrite.text(temporary.resolve("a"), content);
            AtomicWrite.file(temporary.resolve("sub").resolve("b"), out -> {
                out.write(ByteBuffer.wrap(content.substring(0, 1).getBytes(StandardCharsets.UTF_8)));
                out.write(ByteBuffer.wrap(content.substring(1).getBytes(StandardCharsets.UTF_8)));
            });
        });
    }

    /** The content of both files, which must agree. */
    private static String contentOf(Path folder) throws IOException {
        assertThat(namesIn(folder)).containsExactly("a", "sub");
        String content = Files.readString(folder.resolve("a"));
        assertThat(folder.resolve("sub").resolve("b")).hasContent(content);
        return content;
    }

    private static List<String> namesIn(Path folder) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }
}
