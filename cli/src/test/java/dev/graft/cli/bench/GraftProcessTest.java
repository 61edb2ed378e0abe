package dev.graft.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class GraftProcessTest {
    @Test
    void thisProgramRunsAgain() {
        assertThat(GraftProcess.program().run(List.of("--version")).last()).startsWith("graft ");
    }
}
