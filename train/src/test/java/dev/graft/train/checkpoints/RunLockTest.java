package dev.graft.train.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunLockTest {
    @TempDir
    Path run;

    @Test
    void aSecondRunInThisProcessIsRefusedAndDoesNotBreakTheLock() throws Exception {
        try (RunLock lock = RunLock.acquire(run)) {
            assertThatThrownBy(() -> RunLock.acquire(run.resolve("../" + run.getFileName())))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("is in use by another run (this process)");
            assertThat(startChild().waitFor()).isEqualTo(3);
            assertThat(lock.recovered()).isNull();
        }
        RunLock.acquire(run).close();
    }

    @Test
    void aRunOfAnotherProcessIsNamed() throws Exception {
        Process holder = startChild();
        try {
            holder.getInputStream().read();
            assertThatThrownBy(() -> RunLock.acquire(run))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("pid " + holder.pid() + " started ");
        } finally {
            holder.destroyForcibly().waitFor();
        }
        try (RunLock lock = RunLock.acquire(run)) {
            assertThat(lock.recovered()).startsWith("pid " + holder.pid() + " started ");
        }
    }

    @Test
    void aStaleLockWithAReusedProcessIdIsRecovered() throws IOException {
        Files.writeString(
                run.resolve(".graft.lock"), "pid " + ProcessHandle.current().pid() + " started 2001-01-01T00:00:00Z");
        try (RunLock lock = RunLock.acquire(run)) {
            assertThat(lock.recovered()).endsWith("2001-01-01T00:00:00Z");
        }
    }

    @Test
    void aLockFileWithAnythingInItIsRecovered() throws IOException {
        Files.write(run.resolve(".graft.lock"), new byte[] {(byte) 0xff, 0, 1, 2});
        try (RunLock lock = RunLock.acquire(run)) {
            assertThat(lock.recovered()).isNotNull();
        }
        assertThat(Files.size(run.resolve(".graft.lock"))).isZero();
    }

    private Process startChild() throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName(),
                        run.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    static final class Child {
        public static void main(String[] arguments) throws InterruptedException {
            try {
                RunLock.acquire(Path.of(arguments[0]));
            } catch (InputException e) {
                System.exit(3);
            }
            System.out.println("locked");
            Thread.sleep(60_000);
        }
    }
}
