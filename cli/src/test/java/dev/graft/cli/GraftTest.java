package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;

class GraftTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... arguments) {
        return Graft.run(new PrintWriter(out), new PrintWriter(err), Ansi.OFF, arguments);
    }

    @Test
    void helpNamesTheCommands() {
        assertThat(run("--help")).isZero();
        assertThat(out.toString())
                .startsWith("Usage: graft [-hV] [--debug] COMMAND\n")
                .contains("\n  doctor ", "\n  config-schema ", "\n  completion ");
        assertThat(err).hasToString("");
    }

    @Test
    void theVersionIsThatOfTheBuild() {
        assertThat(run("--version")).isZero();
        assertThat(out.toString()).matches("graft \\d+\\.\\d+\\.\\d+\\S*\n");
    }

    @Test
    void noCommandIsBadInput() {
        assertThat(run()).isEqualTo(2);
        assertThat(err).hasToString("which command?\n`graft --help` shows what it takes.\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"doctro", "completon"})
    void aMistypedCommandIsBadInputWithTheNearest(String word) {
        assertThat(run(word)).isEqualTo(2);
        assertThat(err.toString())
                .contains("Did you mean: ", "graft " + (word.startsWith("d") ? "doctor" : "completion"));
    }

    @Test
    void anUnknownOptionIsBadInput() {
        assertThat(run("config-schema", "--jsn")).isEqualTo(2);
        assertThat(err).hasToString("Unknown option: '--jsn'\n`graft config-schema --help` shows what it takes.\n");
        assertThat(out).hasToString("");
    }

    @Test
    void configSchemaPrintsJson() {
        assertThat(run("config-schema")).isZero();
        assertThat(Json.parse("schema", out.toString())
                        .at("/properties/model/type")
                        .stringValue())
                .isEqualTo("string");
    }

    @Test
    void doctorPrintsFindings() {
        int code = run("doctor", "--json");
        List<String> states = Json.parse("doctor", out.toString())
                .get("findings")
                .valueStream()
                .map(finding -> finding.get("state").stringValue())
                .toList();
        assertThat(states).hasSizeGreaterThan(8);
        assertThat(code).isEqualTo(states.contains("problem") ? 1 : 0);
    }

    @Test
    void completionCompletesInBash(@TempDir Path folder) throws Exception {
        assertThat(run("completion", "bash")).isZero();
        Path script = folder.resolve("graft");
        Files.writeString(
                script,
                out + "\nCOMP_WORDS=(graft doc); COMP_CWORD=1; _complete_graft; echo \"${COMPREPLY[@]}\"\n"
                        + "COMP_WORDS=(graft doctor --j); COMP_CWORD=2; _complete_graft; echo \"${COMPREPLY[@]}\"\n");
        Process bash = new ProcessBuilder("bash", script.toString())
                .redirectErrorStream(true)
                .start();
        assertThat(new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .isEqualTo("doctor\n--json\n");
    }

    @Test
    void anUnknownShellIsBadInput() {
        assertThat(run("completion", "fish")).isEqualTo(2);
        assertThat(err.toString()).contains("[bash, zsh]").contains("'fish'");
    }

    @Command(name = "fails")
    private static final class Fails implements Runnable {
        private final Throwable problem;

        Fails(Throwable problem) {
            this.problem = problem;
        }

        @Override
        public void run() {
            GraftTest.<RuntimeException>raise(problem);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void raise(Throwable problem) throws T {
        throw (T) problem;
    }

    private int failWith(Throwable problem, boolean debug) {
        return new ErrorHandler(() -> debug)
                .guard(new CommandLine(new Fails(problem)).setErr(new PrintWriter(err, true)));
    }

    @Test
    void badInputIsItsMessageAlone() {
        assertThat(failWith(new InputException("r.yaml:3: seed is \"x\""), false))
                .isEqualTo(2);
        assertThat(err).hasToString("r.yaml:3: seed is \"x\"\n");
    }

    @Test
    void aFileThatCanNotBeReadIsNamedOnceWithTheReason() {
        IOException denied = new AccessDeniedException("/rows.jsonl");
        assertThat(failWith(new FileAccessException("cannot read /rows.jsonl", denied), true))
                .isEqualTo(1);
        assertThat(err.toString().lines().findFirst()).hasValue("cannot read /rows.jsonl: permission denied");
    }

    @Test
    void aFailureIsOneLine() {
        assertThat(failWith(new IllegalStateException("layers.3: shapes [8, 4] and [2, 8]\nframe\nframe"), false))
                .isEqualTo(1);
        assertThat(err).hasToString("layers.3: shapes [8, 4] and [2, 8] (--debug prints the trace)\n");
    }

    @Test
    void aMessageThatSaysLittleHasItsTypeInFront() {
        assertThat(failWith(new AccessDeniedException("/x"), false)).isEqualTo(1);
        assertThat(failWith(new NullPointerException(), false)).isEqualTo(1);
        assertThat(err)
                .hasToString("AccessDeniedException: /x (--debug prints the trace)\n"
                        + "NullPointerException (--debug prints the trace)\n");
    }

    @Test
    void memoryThatRunsOutIsAFailureWithAdvice() {
        assertThat(failWith(new OutOfMemoryError("Java heap space"), false)).isEqualTo(1);
        assertThat(err.toString()).startsWith("out of memory: Java heap space; try a smaller batch_size");
    }

    @Test
    void debugAddsTheTrace() {
        assertThat(failWith(new InputException("wrong"), true)).isEqualTo(2);
        assertThat(err.toString()).startsWith("wrong\ndev.graft.formats.InputException: wrong\n\tat ");
    }

    @Test
    void debugIsTakenBeforeAndAfterTheCommand() {
        assertThat(run("--debug", "completion", "fish")).isEqualTo(2);
        assertThat(run("completion", "--debug", "fish")).isEqualTo(2);
        assertThat(err.toString().split("ParameterException", -1)).hasSizeGreaterThan(2);
    }

    @Test
    void helpLoadsNoLibraryButThatOfTheCommandLine() throws Exception {
        Process help = new ProcessBuilder(
                        System.getProperty("java.home") + "/bin/java",
                        "-Xlog:class+load",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.graft.cli.Graft",
                        "--help")
                .redirectErrorStream(true)
                .start();
        String log = new String(help.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(help.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(help.exitValue()).isZero();
        assertThat(log).contains("picocli.CommandLine ");
        assertThat(log.lines()
                        .filter(line -> line.matches(
                                ".*\\] (tools\\.jackson|org\\.bytedeco|org\\.snakeyaml|ai\\.djl|org\\.slf4j).*")))
                .hasSize(0);
    }
}
