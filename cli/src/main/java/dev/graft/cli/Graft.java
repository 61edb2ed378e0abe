package dev.graft.cli;

import dev.graft.cli.adapters.AdaptersCommand;
import dev.graft.cli.bench.BenchCommand;
import dev.graft.cli.claims.ClaimsCommand;
import dev.graft.cli.compare.CompareCommand;
import dev.graft.cli.demo.DemoCommand;
import dev.graft.cli.doctor.DoctorCommand;
import dev.graft.cli.eval.EvalCommand;
import dev.graft.cli.export.ExportCommand;
import dev.graft.cli.generate.ChatCommand;
import dev.graft.cli.generate.GenerateCommand;
import dev.graft.cli.generate.TranscribeCommand;
import dev.graft.cli.inspect.InspectCommand;
import dev.graft.cli.logits.LogitsCommand;
import dev.graft.cli.merge.ConvertCommand;
import dev.graft.cli.merge.MergeAdaptersCommand;
import dev.graft.cli.merge.MergeCommand;
import dev.graft.cli.methods.MethodsCommand;
import dev.graft.cli.parity.ParityCommand;
import dev.graft.cli.predict.PredictCommand;
import dev.graft.cli.pull.PullCommand;
import dev.graft.cli.recommend.RecommendCommand;
import dev.graft.cli.serve.ServeCommand;
import dev.graft.cli.tasks.TasksCommand;
import dev.graft.cli.terminal.Interruption;
import dev.graft.cli.terminal.Version;
import dev.graft.cli.train.RecipesCommand;
import dev.graft.cli.train.RunOptions;
import dev.graft.cli.train.TrainCommand;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.Objects;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The command {@code graft}. Exit codes: 0 success, 1 failure, 2 unusable input, 130 after Ctrl-C, 143 after SIGTERM. Results go to
 * standard output, progress and messages to standard error.
 */
@Command(
        name = "graft",
        description = "Fine-tunes pretrained transformers by training a few parameters grafted onto a frozen base.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            DemoCommand.class,
            TrainCommand.class,
            RecipesCommand.class,
            CompareCommand.class,
            ClaimsCommand.class,
            RecommendCommand.class,
            EvalCommand.class,
            PredictCommand.class,
            GenerateCommand.class,
            TranscribeCommand.class,
            ChatCommand.class,
            ServeCommand.class,
            MergeCommand.class,
            MergeAdaptersCommand.class,
            ConvertCommand.class,
            ExportCommand.class,
            AdaptersCommand.class,
            InspectCommand.class,
            MethodsCommand.class,
            TasksCommand.class,
            LogitsCommand.class,
            ParityCommand.class,
            BenchCommand.class,
            PullCommand.class,
            DoctorCommand.class,
            ConfigSchemaCommand.class,
            CompletionCommand.class
        },
        footer = {"", "`graft COMMAND --help` explains a command."})
public final class Graft implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--debug", scope = ScopeType.INHERIT, description = "Print the stack trace of an error.")
    private boolean debug;

    private Graft() {}

    public static void main(String[] arguments) {
        int code;
        try (Interruption ignored = Interruption.install()) {
            code = run(
                    new PrintWriter(System.out, false, Charset.defaultCharset()),
                    new PrintWriter(System.err, true, Charset.defaultCharset()),
                    Ansi.AUTO,
                    arguments);
        }
        System.exit(code);
    }

    /** Runs a command line and returns its exit code. */
    static int run(PrintWriter out, PrintWriter err, Ansi colours, String... arguments) {
        Graft graft = new Graft();
        CommandLine command = commandLine(graft, colours).setOut(out).setErr(err);
        int code = new ErrorHandler(() -> graft.debug).guard(command, arguments);
        out.flush();
        err.flush();
        return code;
    }

    static CommandLine commandLine() {
        return commandLine(new Graft(), Ansi.OFF);
    }

    private static CommandLine commandLine(Graft graft, Ansi colours) {
        CommandLine command = new CommandLine(graft);
        RunOptions.addTo(
                Objects.requireNonNull(command.getSubcommands().get("train")).getCommandSpec());
        return command.setColorScheme(CommandLine.Help.defaultColorScheme(colours))
                .setAbbreviatedOptionsAllowed(false)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpAutoWidth(false)
                .setUsageHelpWidth(110);
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "which command?");
    }
}
