package dev.graft.cli.compare;

import dev.graft.cli.bench.GraftProcess;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Version;
import dev.graft.formats.InputException;
import dev.graft.run.compare.CompareRun;
import dev.graft.run.compare.Standings;
import dev.graft.run.config.CompareConfig;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.Recipes;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "compare",
        description = "Train many methods on one task and one base, and show what each costs and what it buys.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "RECIPE is a YAML file, or the name of one in recipes/, with the keys of a training and methods (a list,"
                    + " or all),",
            "seeds and rates. Every method tries the same number of learning rates around its usual one; the one that"
                    + " is best on",
            "the validation rows is trained with the other seeds and scored on the test rows. The frozen base and full",
            "fine-tuning are always among the rows.",
            "",
            "--costs trains each method a few steps in a process of its own and measures it; the table shows that"
                    + " afterwards.",
            "",
            "A comparison that was interrupted goes on where it was. data.train: wordnet stands for the definitions of",
            "nouns that `graft demo` uses.",
            "",
            "Examples:",
            "  graft compare compare-demo",
            "  graft compare compare-demo methods=all seeds=5 --jobs 2",
            "  graft compare compare-demo --costs",
            "  graft compare --diff runs/before runs/after",
            "  graft compare compare-chat methods=[lora,ia3] output_dir=runs/two"
        })
public final class CompareCommand implements Callable<Integer> {
    private static final int INTERRUPTED = 130;

    @Parameters(
            arity = "1..*",
            paramLabel = "RECIPE [key=value…]",
            description = "Recipe of the comparison and its overrides.")
    @SuppressWarnings("NullAway.Init")
    private List<String> words;

    @Option(
            names = "--jobs",
            paramLabel = "N",
            defaultValue = "1",
            description = "Processes that train at the same time, each on one core if there are several (default:"
                    + " ${DEFAULT-VALUE}).")
    private int jobs;

    @Option(
            names = "--costs",
            description = "Measure what each method costs, each in a fresh process: memory, step time, latency, file,"
                    + " modularity.")
    private boolean costs;

    @Option(
            names = "--write-pages",
            paramLabel = "DIR",
            description = "Train nothing; write what was measured to the pages of the methods in that folder.")
    private @Nullable Path pages;

    @Option(
            names = "--diff",
            description = "Train nothing; show what changed between the output folders of two comparisons.")
    private boolean diff;

    @Option(names = "--measure", hidden = true, description = "Measure what that method costs in this process.")
    private @Nullable String measured;

    @Option(
            names = "--worker",
            hidden = true,
            description = "Take part in the work of another process; only number 1 says what it loads and finds done.")
    private @Nullable Integer worker;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (jobs < 1) {
            throw new InputException("--jobs is " + jobs + ", expected at least 1");
        }
        if (diff) {
            if (words.size() != 2) {
                throw new InputException(
                        "--diff takes the output folders of two comparisons, for example runs/before runs/after");
            }
            spec.commandLine().getOut().print(new ComparisonDiff(Path.of(words.get(0)), Path.of(words.get(1))).text());
            return 0;
        }
        List<String> overrides = new ArrayList<>(words);
        String recipe = overrides.remove(0);
        if (ConfigReader.isOverride(recipe)) {
            throw new InputException(recipe + " stands where the recipe should be; write it after the recipe's name");
        }
        for (String word : overrides) {
            if (!ConfigReader.isOverride(word)) {
                throw new InputException(word + " stands after the recipe " + recipe + ", expected key=value");
            }
        }
        CompareConfig config = ConfigReader.comparison(
                Recipes.ofProject().find(recipe), overrides, spec.commandLine().getErr()::println);
        PrintWriter err = spec.commandLine().getErr();
        CompareRun run = new CompareRun(
                config, words, jobs, Version.current(), GraftProcess.program(), new ConsoleListener(err));
        if (measured != null) {
            run.measure(measured);
            return 0;
        } else if (pages != null) {
            long written = run.writePages(pages);
            err.println("wrote    " + written + (written == 1 ? " row" : " rows") + " of methods into " + pages);
            return 0;
        }
        try {
            if (worker != null && !costs) {
                return run.help(worker == 1) ? 0 : CompareRun.GROWN;
            }
            return show(run, costs ? run.costs() : run.run());
        } catch (CancellationException interrupted) {
            if (worker == null || costs) {
                err.println("Interrupted; the same command goes on from here");
            }
            return INTERRUPTED;
        }
    }

    private int show(CompareRun run, @Nullable Standings standings) {
        if (standings == null) {
            return 1;
        }
        spec.commandLine().getOut().print(json.json() ? standings.json() : "\n" + new ResultsTable(standings).text());
        spec.commandLine().getErr().println("report   " + run.reportFile());
        return 0;
    }
}
