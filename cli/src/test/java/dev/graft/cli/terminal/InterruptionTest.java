package dev.graft.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InterruptionTest {

    /** A process whose parent ignores a signal, as one behind nohup, ignores it too and never ends. */
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    @ParameterizedTest
    @CsvSource({"INT,130", "TERM,143"})
    void theCommandEndsItsStepBeforeTheProcessEnds(String signal, int code) throws Exception {
        Process child = start("yields");
        try (BufferedReader output = signalled(signal, child)) {
            assertThat(output.readLine()).isEqualTo("stopped by itself");
        }
        assertThat(child.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(child.exitValue()).isEqualTo(code);
    }

    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    @ParameterizedTest
    @CsvSource({"INT,130", "TERM,143"})
    void aSecondSignalEndsTheProcessAtOnce(String signal, int code) throws Exception {
        Process child = start("goes on");
        try (BufferedReader output = signalled(signal, child)) {
            assertThat(output.readLine()).isEqualTo("saving");
            send(signal, child);
            assertThat(child.waitFor(500, TimeUnit.MILLISECONDS))
                    .as("a signal that is passed on is the same wish")
                    .isFalse();
            Thread.sleep(1500);
            send(signal, child);
            assertThat(output.readLine()).isNull();
        }
        assertThat(child.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(child.exitValue()).isEqualTo(code);
    }

    private static Process start(String how) throws IOException {
        return new ProcessBuilder(
                        System.getProperty("java.home") + "/bin/java",
                        "-cp",
                        System.getProperty("java.class.path"),
                        LongCommand.class.getName(),
                        how)
                .redirectErrorStream(true)
                .start();
    }

    /** What a process says after the signal that it gets once it has started. */
    private static BufferedReader signalled(String signal, Process child) throws IOException, InterruptedException {
        BufferedReader output =
                new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8));
        assertThat(output.readLine()).isEqualTo("started");
        send(signal, child);
        return output;
    }

    private static void send(String signal, Process process) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                        .start()
                        .waitFor())
                .isZero();
    }

    static final class LongCommand {
        public static void main(String[] arguments) throws InterruptedException {
            boolean yields = arguments[0].equals("yields");
            try (Interruption ignored = Interruption.install();
                    Interruption.Work work = Interruption.awaited(() -> System.out.print(yields ? "" : "saving\n"))) {
                System.out.println("started");
                while (!yields || !Interruption.requested()) {
                    Thread.sleep(10);
                }
                Thread.sleep(200);
                System.out.println("stopped by itself");
            }
            System.exit(0);
        }
    }
}
