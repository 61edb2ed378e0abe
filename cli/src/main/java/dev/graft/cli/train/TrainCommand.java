package dev.graft.cli.train;

import dev.graft.cli.bench.GraftProcess;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.formats.InputException;
import dev.graft.run.PreparedRun;
import dev.graft.run.Run;
import dev.graft.run.RunFolder;
import dev.graft.run.RunPreparation;
import dev.graft.run.RunResult;
import dev.graft.run.SweepRun;
import dev.graft.run.config.Recipes;
import dev.graft.run.config.RunConfig;
import dev.graft.run.config.Sweep;
import dev.graft.train.TrainingException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** The command {@code graft train}. {@code Graft} adds its options, those of {@link RunOptions}. */
@Command(name = "train", description = "Train an adapter on a frozen base.", mixinStandardHelpOptions = true)
public final class TrainCommand implements Runnable {

    @Mixin
    private JsonOption json = new JsonOption();

    @Option(
            names = "--sweep",
            paramLabel = "FILE",
            description =
                    "Run every combination of the settings in a YAML file, or random ones, each in a process and a"
                            + " folder of its own, and print a table; the same command goes on with what is left.")
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
        boolean dry = config.output().dryRun();
        boolean find = config.output().findLr();
        if (!dry && !find) {
            RunFolder.of(config).check();
        } else if (json.json()) {
            throw new InputException((dry ? "--dry-run" : "--find-lr") + " prints text for people; leave out --json");
        }
        try (PreparedRun prepared = new RunPreparation(config, new ConsoleListener(err)).prepare()) {
            if (dry) {
                out.print(new DryRun(prepared, Run.command(parsed.originalArgs())).text());
                return;
            }
            if (find) {
                out.print(new RateFinderRun(prepared, err).text());
                return;
            }
            RunResult result;
            try (TrainingConsole console = new TrainingConsole(config, err)) {
                result = Run.train(prepared, Run.command(parsed.originalArgs()), console);
            }
            out.print(new RunSummary(result).shown(json.json()));
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
        SweepRun.SweepSummary outcome = new SweepRun(
                        runs,
                        Path.of(config.output().outputDir()),
                        settings -> {
                            Map<String, String> others = new LinkedHashMap<>(shared);
                            others.putAll(settings);
                            return RunOptions.read(parsed, Recipes.ofProject(), notice -> {}, others);
                        },
                        GraftProcess.program().start(),
                        new ConsoleListener(err))
                .run();
        spec.commandLine().getOut().print(json.json() ? outcome.json() : new SweepTable(outcome).text());
        if (!outcome.complete()) {
            throw new TrainingException("not every run of the sweep has finished; the same command goes on with it");
        }
    }
}
