package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.formats.InputException;
import dev.graft.run.bench.BackwardSkipOptions;
import dev.graft.run.bench.BenchMethod;
import dev.graft.run.bench.BenchTrainRun;
import dev.graft.run.bench.ProcessAge;
import dev.graft.run.bench.WorkloadTask;
import dev.graft.run.config.NumericsChoice;
import dev.graft.train.bench.Recipe;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "train",
        description = "Train for some steps on fixed rows of token ids and print what it took.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Rows are {\"input_ids\": […], \"labels\": […]} with -100 where there is no label, or {\"input_ids\": […],",
            "\"label\": k}, one a line. The optimiser is AdamW, lr 1e-4, no weight decay. Tokens exclude padding. With",
            "--json the last line of standard output is one JSON object.",
            "",
            "Examples:",
            "  graft bench train --model smollm2 --data causal.jsonl --task causal --method lora --rank 16 --json",
            "  graft bench train --model smollm2 --data causal.jsonl --task causal --drop-backward 0.5",
            "  graft bench train --model minilm --data classify.jsonl --task classify --batch 32 --steps 12"
        })
public final class BenchTrainCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Option(names = "--data", required = true, paramLabel = "FILE", description = "Rows of token ids, JSONL.")
    @SuppressWarnings("NullAway.Init")
    private Path data;

    @Option(
            names = "--task",
            required = true,
            paramLabel = "TASK",
            description = "causal or classify; a classifier gets as many labels as the rows have.")
    @SuppressWarnings("NullAway.Init")
    private WorkloadTask task;

    @Option(
            names = "--method",
            paramLabel = "NAME",
            description = {
                "Method to train (default: ${DEFAULT-VALUE}); `graft methods` lists all. prompt and prefix are as",
                "PEFT has them: 20 virtual tokens, random start, no projection."
            })
    private String method = "lora";

    @Option(
            names = "--targets",
            paramLabel = "NAMES",
            description = {
                "Modules for the method: all-linear, names or their ends with commas between, or a",
                "regular expression for the whole name (default for lora and dora: all-linear)."
            })
    private @Nullable String targets;

    @Option(
            names = "--rank",
            paramLabel = "R",
            description = "Rank for the method; alpha is twice as much (default for lora and dora: 16).")
    private @Nullable Integer rank;

    @Option(names = "--batch", paramLabel = "N", description = "Rows of a step (default: ${DEFAULT-VALUE}).")
    private int batch = 4;

    @Option(names = "--steps", paramLabel = "N", description = "Steps that count (default: ${DEFAULT-VALUE}).")
    private int steps = 12;

    @Option(names = "--warmup", paramLabel = "N", description = "Steps before those (default: ${DEFAULT-VALUE}).")
    private int warmup = 3;

    @Option(
            names = "--int8-gradients",
            arity = "1",
            paramLabel = "BOOL",
            description = {
                "Calculate what goes back through frozen layers in 8-bit integers: true or false",
                "(default: with the tuned recipe true where that is faster, in bf16 on processors",
                "with AVX512-VNNI and without AMX; else what graft train does by itself)."
            })
    private @Nullable Boolean int8Gradients;

    @Option(
            names = "--profile",
            description = "Print where the time of the steps that count went, by operation and layer. Needs --warmup.")
    private boolean profile;

    @Option(
            names = "--recipe",
            paramLabel = "RECIPE",
            description = {
                "tuned: rows of similar length together, gradients in int8 where that is faster;",
                "default: rows in the order of the file, as graft train (default: ${DEFAULT-VALUE})."
            })
    private Recipe recipe = Recipe.TUNED;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Seed of new parameters and dropout (default: ${DEFAULT-VALUE}).")
    private long seed = 0;

    @Option(
            names = "--auto-freeze",
            paramLabel = "P",
            description = {
                "Freeze leading layers as auto_freeze=P of graft train does, and compare: each step is also done",
                "without, from the same start; memory is then that of both."
            })
    private @Nullable Double autoFreeze;

    @Option(
            names = "--auto-freeze-steps",
            paramLabel = "N",
            description = "Steps between two looks of --auto-freeze (default: a quarter of a pass over the rows).")
    private @Nullable Integer autoFreezeSteps;

    @Option(
            names = "--drop-backward",
            paramLabel = "SHARE",
            description = {
                "Leave out that share of the backward pass as drop_backward of graft train does, and compare",
                "as with --auto-freeze. Needs a --warmup of more than a tenth of all steps."
            })
    private @Nullable Double dropBackward;

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        double startedAfter = ProcessAge.seconds();
        if (profile && warmup < 1) {
            throw new InputException("--profile measures the steps after the first ones: give --warmup 1 or more");
        }
        BenchTrainRun run = new BenchTrainRun(
                model.model(),
                data,
                task,
                new BenchMethod(method, targets, rank),
                recipe,
                new BenchTrainRun.Size(batch, steps, warmup),
                seed,
                new BackwardSkipOptions(autoFreeze, autoFreezeSteps, dropBackward),
                compute,
                int8Gradients,
                profile,
                new ConsoleListener(spec.commandLine().getErr()));
        BenchTrainRun.Measurements figures = run.measure(startedAfter);
        BenchTrainRun.ProfiledSteps profiled = figures.profile();
        if (profiled != null) {
            spec.commandLine().getErr().print(ProfileReport.text(profiled.timings(), profiled.nanos(), steps));
        }
        spec.commandLine().getOut().println(json.json() ? figures.json() : figures.text());
    }
}
