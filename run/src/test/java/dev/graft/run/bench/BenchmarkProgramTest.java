package dev.graft.run.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.UncheckedIOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class BenchmarkProgramTest {
    private static BenchmarkProgram.Run sh(String script) {
        return new BenchmarkProgram(List.of("sh", "-c"), List.of("PATH")).run(List.of(script));
    }

    @Test
    void theLastLineIsKept() {
        assertThat(sh("echo one; echo two; echo three >&2").last()).isEqualTo("two");
        assertThat(sh(":").last()).isEmpty();
    }

    @Test
    void itsWholeLifeIsTimed() {
        assertThat(new BenchmarkProgram(List.of("sleep"), List.of())
                        .run(List.of("0.3"))
                        .seconds())
                .isBetween(0.3, 5.0);
    }

    @Test
    void variablesAreTakenAway() {
        assertThat(new BenchmarkProgram(List.of("/usr/bin/env"), List.of("PATH"))
                        .run(List.of("sh", "-c", "env | grep ^HF_"))
                        .last())
                .isEqualTo("HF_HUB_OFFLINE=1");
        assertThat(new BenchmarkProgram(List.of("/bin/sh", "-c"), List.of("HOME"))
                        .run(List.of("echo \"[$HOME]\""))
                        .last())
                .isEqualTo("[]");
    }

    @Test
    void aFailureShowsWhatTheProgramSaid() {
        assertThatThrownBy(() -> sh("echo first >&2; echo second >&2; exit 3"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageEndingWith("ended with 3: first | second");
        assertThatThrownBy(() -> new BenchmarkProgram(List.of("no-such-program"), List.of()).run(List.of()))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("no-such-program");
    }

    /** A command with a space and a bracket in its name, started 12.5 seconds after the machine. */
    @Test
    void theAgeOfAProcessIsReadFromItsStart() {
        String stat = "4242 (my (odd) name) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1250 99 100";
        assertThat(ProcessAge.seconds(stat, "20.75 30.00\n")).isCloseTo(8.25, within(1e-9));
        assertThat(ProcessAge.seconds()).isBetween(0.01, 36_000.0);
    }
}
