package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.Loading;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.cost.LatencySweep;
import dev.graft.eval.cost.LatencySweep.Point;
import dev.graft.eval.cost.Machine;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "latency",
        description =
                "Time one row in a base, with LoRA beside it and merged, and behind prompts, as rows and prompts grow.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "For a causal model it is the time until the first token. GFLOP are by formula: two operations for each weight of a",
            "linear layer and token, four for each pair of tokens and number that attention gives, in each layer; no head.",
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
    private ComputeOptions compute = new ComputeOptions(ComputeOptions.DType.auto);

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
        Loading loading = Loading.of(model.model(), List.of(), head, compute, err);
        List<Point> points = new LatencySweep(loading.base(), repeats)
                .run(
                        lengths,
                        prompts,
                        point -> err.printf(
                                Locale.ROOT,
                                "%s, %d tokens: %.2f ms%n",
                                point.what(),
                                point.tokens(),
                                1000 * point.p50()));
        out.println(json.json() ? json(points) : table(points));
    }

    private static void require(String option, int value) {
        if (value < 1) {
            throw new InputException(option + " has " + value + ", expected at least 1");
        }
    }

    /** A time beside that of the base alone on the same row. */
    private static double ratio(Point point, List<Point> points) {
        return points.stream()
                .filter(other ->
                        other.tokens() == point.tokens() && other.what().equals("base"))
                .mapToDouble(base -> point.p50() / base.p50())
                .findFirst()
                .orElse(Double.NaN);
    }

    private static String table(List<Point> points) {
        Table table = new Table("tokens", "what", "half, ms", "95 %, ms", "× base", "GFLOP");
        for (Point point : points) {
            table.row(
                    point.tokens(),
                    point.what(),
                    String.format(Locale.ROOT, "%.2f", 1000 * point.p50()),
                    String.format(Locale.ROOT, "%.2f", 1000 * point.p95()),
                    String.format(Locale.ROOT, "%.2f", ratio(point, points)),
                    String.format(Locale.ROOT, "%.3f", point.flops() / 1e9));
        }
        return table.toString().stripTrailing();
    }

    private String json(List<Point> points) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", model.model());
        ArrayNode rows = json.putArray("rows");
        for (Point point : points) {
            rows.addObject()
                    .put("tokens", point.tokens())
                    .put("what", point.what())
                    .put("p50_seconds", point.p50())
                    .put("p95_seconds", point.p95())
                    .put("beside_base", ratio(point, points))
                    .put("flop", point.flops());
        }
        json.set("machine", Machine.read().toJson());
        return Json.pretty(json);
    }
}
