package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ServeCommandTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"--pin=nobody", "--compose=both=nobody:0.5"})
    void anAdapterThatIsMissingIsMissedBeforeTheBaseIsLoaded(String option) {
        Cli run = Cli.run("serve", folder.resolve("no-base"), "--adapters", folder, option);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).isEqualTo("there is no adapter \"nobody\" in the adapters' folder\n");
    }
}
