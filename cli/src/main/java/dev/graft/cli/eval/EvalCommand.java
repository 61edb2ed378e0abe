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
            paramLabel = "NAME",
            description = {
                "Score the tasks of a benchmark by its official rules: glue, superglue, squad, conll2003, e2e, webnlg, dart, xsum,",
                "wmt, lama, gsm8k, bbh, cifar, imagenet, vtab. --data is the folder of its official files, or `twin` for",
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
            names = "--max-rows",
            paramLabel = "N",
            description = "Rows of each part of the suite that are scored, from its beginning (default: all).")
    private @Nullable Integer maxRows;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "Longest answer that is written for a suite in tokens (default: what is usual for the task).")
    private @Nullable Integer maxNewTokens;

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

    private SuiteRun suiteRun(String name, PrintWriter err) {
        atLeastOne("--max-rows", maxRows);
        atLeastOne("--max-new-tokens", maxNewTokens);
        for (String option : List.of("--overflow", "--loss-on")) {
            if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                throw new InputException(option + " doesn't belong to --suite, whose rules say what is read");
            }
        }
        Suite known = Suite.named(name);
        Path folder = known.folder(data, new Hub());
        SuiteRun.Limits limits = new SuiteRun.Limits(
                batchSize,
                maxLength == null ? SUITE_LENGTH : maxLength,
                maxNewTokens,
                maxRows == null ? Integer.MAX_VALUE : maxRows);
        return new SuiteRun(known.in(folder), folder, model.model(), adapter.adapters(), head, compute, limits, err);
    }

    private static void atLeastOne(String option, @Nullable Integer value) {
        if (value != null && value < 1) {
            throw new InputException(option + " is " + value + ", expected at least 1");
        }
    }

    @Override
    public void run() {
        atLeastOne("--batch-size", batchSize);
        PrintWriter err = spec.commandLine().getErr();
        if (suite != null) {
            spec.commandLine()
                    .getOut()
                    .println(SuiteRun.shown(suiteRun(suite, err).run(tasks), json.json()));
            return;
        }
        for (String option : List.of("--tasks", "--max-rows", "--max-new-tokens")) {
            if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                throw new InputException(option + " belongs to --suite");
            }
        }
        EvalRun run = new EvalRun(model.model(), adapter.adapters(), head, compute, err);
        EvalRun.Scored scored = run.score(rows(), batchSize, maxLength, overflow, lossOn);
        PrintWriter out = spec.commandLine().getOut();
        out.println(scored.shown(json.json()));
    }
}
