package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.run.bench.LoadTimes;
import dev.graft.run.config.NumericsChoice;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "load",
        description = "Measure how long a model takes to load, and how much memory it then holds beside its weights.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The model is loaded twice in this process: the first time tells the memory, the second, when its files"
                    + " and the",
            "program are warm, the time.",
            "",
            "Example:",
            "  graft bench load --model smollm2 --json"
        })
public final class BenchLoadCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        LoadTimes figures = LoadTimes.measure(model.model(), compute);
        spec.commandLine().getOut().println(json.json() ? figures.json() : figures.text());
    }
}
