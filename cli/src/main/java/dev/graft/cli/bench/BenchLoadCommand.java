package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.Loading;
import dev.graft.cli.model.ModelOption;
import dev.graft.eval.cost.ProcessMemory;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.global.torch.ScalarType;
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
            "The model is loaded twice in this process: the first time tells the memory, the second, when its files and the",
            "program are warm, the time.",
            "",
            "Example:",
            "  graft bench load --model smollm2 --json"
        })
public final class BenchLoadCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(ComputeOptions.DType.auto);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        Loading.useThreads(compute);
        Path files = new Hub().fetch(model.model());
        Base.Options options = Base.Options.DEFAULT
                .withNumerics(Numerics.of(compute.dtype().name()))
                .withQuantization(compute.quantization());
        // libtorch itself is no part of what a model takes.
        Tensors.zeros(ScalarType.Float, 1);
        Long before = ProcessMemory.resident().value();
        long start = System.nanoTime();
        Base base = Base.load(files, options);
        double first = (System.nanoTime() - start) / 1e9;
        Long after = ProcessMemory.resident().value();
        start = System.nanoTime();
        Base.load(files, options);
        double again = (System.nanoTime() - start) / 1e9;
        Double share = before == null || after == null ? null : (double) (after - before) / base.parameterBytes();
        LoadFigures figures =
                new LoadFigures(model.model(), Loading.numbers(base), base.parameterBytes(), first, again, share);
        spec.commandLine().getOut().println(json.json() ? figures.json() : figures.text());
    }
}
