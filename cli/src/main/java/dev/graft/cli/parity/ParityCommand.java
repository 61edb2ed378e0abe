package dev.graft.cli.parity;

import dev.graft.cli.model.JsonOption;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "parity",
        description = "Run cases that a reference library made and compare the numbers.",
        mixinStandardHelpOptions = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:no case failed", "1:a case failed", "2:there are no cases"},
        footer = {
            "",
            "Cases about things that Graft doesn't have are listed as not covered, never as passed. With --json the last",
            "line is {\"passed\": n, \"failed\": […], \"not_covered\": […], \"cases\": [{\"id\", \"status\", \"max_error\", \"tolerance\"}]}.",
            "",
            "Examples:",
            "  graft parity parity/fixtures",
            "  graft parity parity/fixtures --json"
        })
public final class ParityCommand implements Callable<Integer> {

    @Parameters(paramLabel = "DIR", description = "A tree of cases, as parity/python makes it.")
    @SuppressWarnings("NullAway.Init")
    private Path tree;

    @Option(names = "--verbose", description = "Print every case, not only those that failed.")
    private boolean verbose;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        return ParityRun.run(
                tree,
                verbose,
                json.json(),
                spec.commandLine().getOut(),
                spec.commandLine().getErr());
    }
}
