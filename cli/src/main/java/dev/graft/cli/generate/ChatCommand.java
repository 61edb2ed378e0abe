package dev.graft.cli.generate;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.Terminal;
import dev.graft.run.config.NumericsChoice;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "chat",
        description = "Talk to a model by its own chat template.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Every line of the input is a turn; so is every line of a pipe. Lines that begin with / are commands:",
            "  /reset         forget the conversation",
            "  /system TEXT   begin again with this system message; without TEXT with none",
            "  /exit          end; so does the end of the input",
            "",
            "Examples:",
            "  graft chat --model smollm2",
            "  graft chat --model smollm2 --adapter runs/chat/adapter --system \"Answer in one sentence.\"",
            "  echo \"What is a graft?\" | graft chat --model smollm2 --temperature 0.7 --top-p 0.9"
        })
public final class ChatCommand implements Callable<Integer> {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private PackOption pack = new PackOption();

    @Option(names = "--system", paramLabel = "TEXT", description = "A system message before the conversation.")
    private @Nullable String system;

    @Mixin
    private SamplingOptions sampling = new SamplingOptions();

    @Option(names = "--verbose", description = "Say how fast each answer and the whole conversation were.")
    private boolean verbose;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        TextGenerator generator = TextGenerator.of(
                model.model(),
                adapter.adapters(),
                compute,
                pack,
                sampling,
                spec.commandLine().getOut(),
                spec.commandLine().getErr());
        try (ChatSession session = new ChatSession(
                generator,
                system,
                Terminal.isInteractive(),
                verbose,
                json.json(),
                spec.commandLine().getOut(),
                spec.commandLine().getErr())) {
            return session.run(System.in);
        }
    }
}
