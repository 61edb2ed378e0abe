package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.formats.InputException;
import dev.graft.run.config.NumericsChoice;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "serve",
        description =
                "Write texts with the base, one adapter and a different adapter on each row, then more texts than rows"
                        + " with one adapter and with some of many, and print what it took.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The rows are random token ids, read and written by the engine of `graft serve`; adapters are LoRA on all",
            "linear layers. Tokens a second are new tokens of all rows, the time of reading the prompts included."
                    + " Where texts",
            "come and go (in turn) there are four for each row, of half to one and a half times as many new tokens."
                    + " The adapters",
            "are written to a temporary folder first: --hot 8 --registered 8 takes less of it, and of memory.",
            "",
            "Examples:",
            "  graft bench serve --model smollm2 --rows 8 --adapters 8 --rank 16 --prompt 64 --new 32 --json",
            "  graft bench serve --model smollm2 --beside-peft --python target/peer/bin/python"
        })
public final class BenchServeCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Option(names = "--rows", paramLabel = "N", description = "Texts at once (default: ${DEFAULT-VALUE}).")
    private int rows = 8;

    @Option(names = "--adapters", paramLabel = "N", description = "Adapters in memory (default: ${DEFAULT-VALUE}).")
    private int adapters = 8;

    @Option(
            names = "--hot",
            paramLabel = "N",
            description = "Adapters of texts that come and go, in memory too (default: ${DEFAULT-VALUE}).")
    private int hot = 32;

    @Option(
            names = "--registered",
            paramLabel = "N",
            description = "Adapters that there are to choose from (default: ${DEFAULT-VALUE}).")
    private int registered = 256;

    @Option(names = "--rank", paramLabel = "R", description = "Their rank (default: ${DEFAULT-VALUE}).")
    private int rank = 16;

    @Option(names = "--prompt", paramLabel = "N", description = "Tokens of a prompt (default: ${DEFAULT-VALUE}).")
    private int prompt = 64;

    @Option(names = "--new", paramLabel = "N", description = "New tokens of a text (default: ${DEFAULT-VALUE}).")
    private int fresh = 32;

    @Option(
            names = "--warmup",
            paramLabel = "N",
            description = "Rounds before, while Java compiles what is used (default: ${DEFAULT-VALUE}).")
    private int warmup = 5;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            description = "Rounds over all modes, whose median counts (default: ${DEFAULT-VALUE}).")
    private int repeats = 5;

    @Option(
            names = "--beside-peft",
            description = "Let Hugging Face PEFT do the same work after each round, in a process of its own.")
    private boolean besidePeft;

    @Mixin
    private PeftOptions peer = new PeftOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        if (peer.areGiven() && !besidePeft) {
            throw new ParameterException(spec.commandLine(), "--python and --peer go with --beside-peft");
        }
        if (warmup < 0) {
            throw new InputException("--warmup is " + warmup + ", expected at least 0");
        }
        if (rows < 1 || adapters < 1 || hot < 1 || rank < 1 || prompt < 1 || fresh < 1 || repeats < 1) {
            throw new InputException(
                    "--rows, --adapters, --hot, --rank, --prompt, --new and --repeats are " + rows + ", "
                            + adapters + ", " + hot + ", " + rank + ", " + prompt + ", " + fresh + " and " + repeats
                            + ", expected at least 1 each");
        }
        if (registered < Math.max(adapters, hot)) {
            throw new InputException("--registered is " + registered + ", expected at least as many as --adapters, "
                    + adapters + ", and --hot, " + hot);
        }
        BenchServeRun run = new BenchServeRun(
                model.model(),
                new BenchServeRun.ServingLoad(rows, adapters, hot, registered, rank, prompt, fresh, warmup, repeats),
                besidePeft ? peer.find() : null,
                compute,
                spec.commandLine().getErr());
        BenchServeRun.Measurements figures = run.measure();
        spec.commandLine().getOut().println(json.json() ? figures.json() : figures.text());
    }
}
