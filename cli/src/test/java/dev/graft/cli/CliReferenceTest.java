package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** Keeps docs/reference/cli.md equal to what the commands say; -Dgraft.docs=write writes it. */
class CliReferenceTest {
    private static final Path PAGE = Path.of("../docs/reference/cli.md");

    private static String page() {
        CommandLine graft = Graft.commandLine();
        StringBuilder page = new StringBuilder(
                "# The command line\n\n"
                        + "What `graft COMMAND --help` prints. This page is made from the commands:\n"
                        + "`mvn -o install -pl cli -Dtest=CliReferenceTest -Dgraft.docs=write` writes it anew.\n\n"
                        + "Exit codes: 0 done, 1 it failed, 2 the input is not usable, 130 after Ctrl-C, 143 after SIGTERM.\n"
                        + "What a program reads goes to standard output, what a person reads while waiting to standard error.\n\n");
        section(page, graft);
        return page.toString();
    }

    private static void section(StringBuilder page, CommandLine command) {
        page.append("## ").append(command.getCommandSpec().qualifiedName()).append("\n\n```\n");
        page.append(command.getUsageMessage(Ansi.OFF).stripTrailing()).append("\n```\n\n");
        command.getSubcommands().values().forEach(part -> section(page, part));
    }

    @Test
    void theReferenceIsWhatTheCommandsSay() throws IOException {
        if ("write".equals(System.getProperty("graft.docs"))) {
            Files.writeString(PAGE, page());
        }
        assertThat(PAGE)
                .as("docs/reference/cli.md is older than the commands; run this test with -Dgraft.docs=write")
                .hasContent(page());
    }

    @Test
    void everyCommandHasExamples() {
        assertThat(Graft.commandLine().getSubcommands().values())
                .filteredOn(command -> !command.getCommandName().matches("doctor|config-schema|completion"))
                .allSatisfy(
                        command -> assertThat(command.getUsageMessage(Ansi.OFF)).contains("Examples:\n  graft "));
    }
}
