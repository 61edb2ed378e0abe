package dev.graft.cli.recommend;

import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Version;
import dev.graft.eval.recommend.Budget;
import dev.graft.eval.recommend.MeasuredRecords;
import dev.graft.formats.InputException;
import dev.graft.run.compare.SuccessiveHalving;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.recommend.RecommendRun;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "recommend",
        description = "Say which methods fit a budget on a base and rows, and which to try first.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Methods are taken in the order of what comparisons have measured; each is tried for a few steps on these"
                    + " rows, which",
            "shows its memory and time. --race trains those that fit, a few steps at first, and lets the better third"
                    + " go on.",
            "",
            "Examples:",
            "  graft recommend --model minilm --data acceptability --budget memory=2g,time=10m",
            "  graft recommend --model minilm --data spam --budget time=5m --race",
            "  graft recommend --model smollm2 --data mine.jsonl --records runs/compare-chat max_seq_length=256"
        })
public final class RecommendCommand implements Callable<Integer> {

    @Mixin
    private ModelOption model = new ModelOption();

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FILE|NAME",
            description = "The rows to train on, as for data.train.")
    @SuppressWarnings("NullAway.Init")
    private String data;

    @Option(
            names = "--budget",
            paramLabel = "memory=2g,time=10m",
            description = "The most memory of the process and the longest training (default: any).")
    private String budget = "";

    @Option(
            names = "--records",
            paramLabel = "FOLDER",
            description = "The output folder of a comparison, whose outcomes count too; may be given several times.")
    private List<Path> records = List.of();

    @Option(
            names = "--methods",
            paramLabel = "N",
            description = "Methods that fit to look for (default: ${DEFAULT-VALUE}).")
    private int most = 6;

    @Option(names = "--race", description = "Let the methods that fit race: successive halving.")
    private boolean race;

    @Parameters(
            arity = "0..*",
            paramLabel = "KEY=VALUE",
            description = "Options of the training, such as batch_size=8 or max_steps=300.")
    private List<String> overrides = List.of();

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (most < 1) {
            throw new InputException("--methods is " + most + ", expected at least 1");
        }
        for (String word : overrides) {
            if (!ConfigReader.isOverride(word)) {
                throw new InputException(word + ": expected key=value");
            }
        }
        MeasuredRecords known = MeasuredRecords.shipped();
        for (Path folder : records) {
            known = known.and(MeasuredRecords.of(folder));
        }
        List<String> options = new ArrayList<>(List.of("model=" + model.model(), "data.train=" + data));
        options.addAll(overrides);
        ConsoleListener listener = new ConsoleListener(spec.commandLine().getErr());
        RecommendRun run =
                new RecommendRun(options, budget.isEmpty() ? Budget.NONE : Budget.parse(budget), known, most, listener);
        RecommendRun.Recommendation advice = run.run();
        if (race) {
            advice = advice.after(new SuccessiveHalving(options, advice.fitting(), Version.current(), listener).run());
        }
        RecommendationText text = new RecommendationText(advice);
        spec.commandLine().getOut().println(json.json() ? text.json() : text.text());
        return advice.fitting().isEmpty() ? 1 : 0;
    }
}
