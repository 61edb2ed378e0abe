package dev.graft.cli.eval;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.eval.suites.Suite;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.sets.DataSet;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "eval",
        description = "Score a model on rows, with or without an adapter.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Rows are those that `graft train` takes. Labels are known by the names that the adapter was trained with, else",
            "by those of the model's config. Figures in brackets are 95 % confidence intervals by drawing the rows again.",
            "",
            "Examples:",
            "  graft eval --model minilm --adapter runs/minilm-classify/adapter --data recipes/data/intents-valid.jsonl",
            "  graft eval --model smollm2 --data recipes/data/chat-valid.jsonl --json",
            "  graft eval --model minilm --suite glue --data /data/glue --adapter \"runs/glue-{task}/adapter\""
        })
public final class EvalCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FILE|NAME",
            description = {
                "The rows to score, such as JSONL, CSV, Parquet, a folder of pictures; or the test rows of a data set that",
                "`graft pull --list` names."
            })
    @SuppressWarnings("NullAway.Init")
    private String data;

    @Option(
            names = "--suite",
            paramLabel = "glue|superglue",
            description = {
                "Score the tasks of a benchmark by its official rules; --data is the folder of its official files, or `twin` for",
                "generated rows in the same files. {task} in --adapter stands for the task's name."
            })
    private @Nullable String suite;

    @Option(
            names = "--tasks",
            split = ",",
            paramLabel = "TASK",
            description = "Tasks of the suite to score (default: all).")
    private List<String> tasks = List.of();

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            description = "Rows per forward pass (default: ${DEFAULT-VALUE}).")
    private int batchSize = 16;

    @Option(
            names = "--max-seq-length",
            paramLabel = "N",
            description = "Longest row in tokens (default: what the model can take, at most 1024).")
    private @Nullable Integer maxLength;

    @Option(
            names = "--overflow",
            paramLabel = "drop|truncate|truncate_left|split|error",
            description = "What becomes of longer rows (default: as in training).")
    private @Nullable Overflow overflow;

    @Option(
            names = "--loss-on",
            paramLabel = "completion|assistant|all",
            description = "Tokens of a causal row that count (default: completion).")
    private @Nullable LossOn lossOn;

    @Mixin
    private ComputeOptions compute = new ComputeOptions(ComputeOptions.DType.auto);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    /** Tokens of a row; longer ones are cut. */
    private static final int SUITE_LENGTH = 512;

    private Path rows() {
        return DataSet.find(data).map(set -> set.test(new Hub())).orElseGet(() -> Path.of(data));
    }

    @Override
    public void run() {
        if (batchSize < 1) {
            throw new InputException("--batch-size is " + batchSize + ", expected at least 1");
        }
        PrintWriter err = spec.commandLine().getErr();
        if (suite != null) {
            Suite benchmark = Suite.named(suite);
            SuiteRun run = new SuiteRun(
                    benchmark,
                    benchmark.folder(data, new Hub()),
                    model.model(),
                    adapter.adapters(),
                    head,
                    compute,
                    batchSize,
                    maxLength == null ? SUITE_LENGTH : maxLength,
                    err);
            spec.commandLine().getOut().println(SuiteRun.shown(run.run(tasks), json.json()));
            return;
        }
        if (!tasks.isEmpty()) {
            throw new InputException("--tasks belongs to --suite");
        }
        EvalRun run = new EvalRun(model.model(), adapter.adapters(), head, compute, err);
        EvalRun.Scored scored = run.score(rows(), batchSize, maxLength, overflow, lossOn);
        PrintWriter out = spec.commandLine().getOut();
        out.println(scored.shown(json.json()));
    }
}
