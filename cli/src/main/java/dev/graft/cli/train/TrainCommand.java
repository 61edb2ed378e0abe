package dev.graft.cli.train;

import dev.graft.cli.config.Memory;
import dev.graft.cli.config.Recipes;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.config.RunOptions;
import dev.graft.cli.config.Sweep;
import dev.graft.cli.model.JsonOption;
import dev.graft.formats.InputException;
import dev.graft.train.TrainingException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** Its options are those of {@link RunOptions}, which {@code Graft} adds. */
@Command(name = "train", description = "Train an adapter on a frozen base.", mixinStandardHelpOptions = true)
public final class TrainCommand implements Runnable {

    @Mixin
    private JsonOption json = new JsonOption();

    @Option(
            names = "--sweep",
            paramLabel = "FILE",
            description =
                    "Run every combination of the settings in a YAML file, or random ones, each in a process and a folder"
                            + " of its own, and print a table; the same command goes on with what is left.")
    private @Nullable Path sweep;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        ParseResult parsed = spec.commandLine().getParseResult();
        RunConfig config = RunOptions.read(parsed, Recipes.ofProject(), err::println);
        if (sweep != null) {
            sweep(Sweep.read(sweep), config, parsed);
            return;
        }
        Path folder = Path.of(config.output().outputDir());
        boolean dry = config.output().dryRun();
        boolean find = config.output().findLr();
        if (!dry && !find) {
            OutputFolder.of(config).check();
        } else if (json.json()) {
            throw new InputException((dry ? "--dry-run" : "--find-lr") + " prints text for people; leave out --json");
        }
        try (Prepared prepared = Prepared.of(config, err)) {
            if (dry) {
                out.print(new DryRun(prepared, command(parsed)).text());
                return;
            }
            if (find) {
                out.print(new RateTest(prepared, err).text());
                return;
            }
            Memory limit = config.economy().memoryLimit();
            if (limit != null) {
                new MemoryLimit(limit.bytes()).check(prepared);
            }
            TrainRun run = new TrainRun(prepared, folder, command(parsed), err);
            out.print(run.run().shown(json.json()));
        } catch (CancellationException interrupted) {
            err.println(interrupted.getMessage());
        }
    }

    private void sweep(Sweep runs, RunConfig config, ParseResult parsed) {
        if (config.output().dryRun() || config.output().findLr()) {
            throw new InputException("--sweep starts whole runs; leave out --dry-run and --find-lr");
        }
        PrintWriter err = spec.commandLine().getErr();
        Map<String, String> shared = new LinkedHashMap<>();
        if (runs.parallel() > 1 && config.base().threads() == null) {
            int cores = Runtime.getRuntime().availableProcessors();
            shared.put("threads", Integer.toString(Math.max(1, cores / runs.parallel())));
        }
        SweepRun.Outcome outcome = new SweepRun(
                        runs,
                        Path.of(config.output().outputDir()),
                        settings -> {
                            Map<String, String> others = new LinkedHashMap<>(shared);
                            others.putAll(settings);
                            return RunOptions.read(parsed, Recipes.ofProject(), notice -> {}, others);
                        },
                        err)
                .run();
        spec.commandLine().getOut().print(json.json() ? outcome.json() : outcome.text());
        if (!outcome.complete()) {
            throw new TrainingException("not every run of the sweep has finished; the same command goes on with it");
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
