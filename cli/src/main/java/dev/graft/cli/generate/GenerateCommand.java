package dev.graft.cli.generate;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.Terminal;
import dev.graft.run.config.NumericsChoice;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "generate",
        description = "Continue a text, or answer it with an encoder-decoder.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The text is continued as it stands, without a chat template; for questions to a chat model use `graft"
                    + " chat`.",
            "An encoder-decoder such as T5 reads the text and writes its answer.",
            "",
            "Examples:",
            "  graft generate --model smollm2 --prompt \"The capital of France is\" --max-new-tokens 20",
            "  graft generate --model smollm2 --adapter runs/chat/adapter --prompt - --temperature 0.7 < draft.txt",
            "  graft generate --model models/flan-t5-small --prompt \"Changed the parser and its tests\" --num-beams 4"
        })
public final class GenerateCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private PackOption pack = new PackOption();

    @Option(
            names = {"-p", "--prompt"},
            required = true,
            paramLabel = "TEXT",
            description = "The text to continue or to answer; - reads it from standard input.")
    @SuppressWarnings("NullAway.Init")
    private String prompt;

    @Mixin
    private SamplingOptions sampling = new SamplingOptions();

    @Option(
            names = "--stream",
            negatable = true,
            description = "Print the text while it is written (default: on a terminal, without --json).")
    private @Nullable Boolean stream;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        TextGenerator generator = TextGenerator.of(
                model.model(),
                adapter.adapters(),
                compute,
                pack,
                sampling,
                spec.commandLine().getOut(),
                spec.commandLine().getErr());
        boolean streams = stream == null ? Terminal.isLive() : stream;
        generator.complete(prompt, streams && !json.json(), json.json());
    }
}
