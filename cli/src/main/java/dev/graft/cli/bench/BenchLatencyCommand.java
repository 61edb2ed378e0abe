package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.eval.cost.LatencySweep;
import dev.graft.eval.cost.LatencySweep.Point;
import dev.graft.formats.InputException;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.model.LoadedModel;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "latency",
        description =
                "Time one row in a base, with LoRA beside it and merged, and behind prompts, as rows and prompts grow.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "For a causal model it is the time until the first token. GFLOP are by formula: two operations for each"
                    + " weight of a",
            "linear layer and token, four for each pair of tokens and number that attention gives, in each layer; no"
                    + " head.",
            "",
            "Examples:",
            "  graft bench latency --model minilm",
            "  graft bench latency --model smollm2 --lengths 16,64,256 --prompts 20,100 --json"
        })
public final class BenchLatencyCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Option(
            names = "--lengths",
            split = ",",
            paramLabel = "N",
            description = "Tokens of a row (default: ${DEFAULT-VALUE}).")
    private List<Integer> lengths = List.of(16, 64, 256);

    @Option(
            names = "--prompts",
            split = ",",
            paramLabel = "N",
            description = "Rows of a prompt (default: ${DEFAULT-VALUE}).")
    private List<Integer> prompts = List.of(10, 50, 100);

    @Option(names = "--repeats", paramLabel = "N", description = "Passes that are timed (default: ${DEFAULT-VALUE}).")
    private int repeats = 9;

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        for (int length : lengths) {
            require("--lengths", length);
        }
        for (int prompt : prompts) {
            require("--prompts", prompt);
        }
        require("--repeats", repeats);
        PrintWriter err = spec.commandLine().getErr();
        PrintWriter out = spec.commandLine().getOut();
        LoadedModel loaded = LoadedModel.of(model.model(), List.of(), head, compute, new ConsoleListener(err));
        List<Point> points = new LatencySweep(loaded.base(), repeats)
                .run(
                        lengths,
                        prompts,
                        point -> err.printf(
                                Locale.ROOT,
                                "%s, %d tokens: %.2f ms%n",
                                point.what(),
                                point.tokens(),
                                1000 * point.p50()));
        LatencyTable table = new LatencyTable(model.model(), points);
        out.println(json.json() ? table.json() : table.text());
    }

    private static void require(String option, int value) {
        if (value < 1) {
            throw new InputException(option + " has " + value + ", expected at least 1");
        }
    }
}
