package dev.graft.cli.train;

import dev.graft.cli.config.Recipes;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.config.RunOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.formats.InputException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** Its options are those of {@link RunOptions}, which {@code Graft} adds. */
@Command(name = "train", description = "Train an adapter on a frozen base.", mixinStandardHelpOptions = true)
public final class TrainCommand implements Runnable {

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        ParseResult parsed = spec.commandLine().getParseResult();
        RunConfig config = RunOptions.read(parsed, Recipes.ofProject(), err::println);
        Path folder = Path.of(config.output().outputDir());
        boolean dry = config.output().dryRun();
        if (!dry) {
            OutputFolder.of(config).check();
        } else if (json.json()) {
            throw new InputException("--dry-run prints text for people; leave out --json");
        }
        try (Prepared prepared = Prepared.of(config, err)) {
            if (dry) {
                out.print(new DryRun(config, prepared, command(parsed)).text());
                return;
            }
            TrainRun run = new TrainRun(config, prepared, folder, command(parsed), err);
            out.print(run.run().shown(json.json()));
        }
    }

    /** How the run was started. */
    private static String command(ParseResult parsed) {
        List<String> words = parsed.originalArgs();
        StringBuilder command = new StringBuilder("graft");
        for (String word : words) {
            command.append(' ')
                    .append(word.matches("[\\w./:=+,@%^-]+") ? word : "'" + word.replace("'", "'\\''") + "'");
        }
        return command.toString();
    }
}
