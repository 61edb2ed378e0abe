package dev.graft.cli.merge;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.peft.Merge;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.merge.MergeRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "merge",
        description = "Make adapters part of a model's weights and write the result as a Hugging Face folder.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The result is compared with the model that has its adapters beside it, on a few token sequences.",
            "`graft methods` says which methods merge.",
            "",
            "Examples:",
            "  graft merge --model smollm2 --adapter runs/chat/adapter --out merged",
            "  graft merge --model smollm2 --adapter runs/a/adapter --adapter runs/b/adapter --out merged --dtype bf16",
            "  graft merge --model smollm2 --quantization nf4 --adapter runs/qlora/adapter --dequantize --out merged"
        })
public final class MergeCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.FP32);

    @Mixin
    private OutputFolderOptions output = new OutputFolderOptions();

    @Option(
            names = "--dequantize",
            description = {
                "Writes a quantised base as a whole one: its matrices are written in --dtype with the adapters in them."
            })
    private boolean dequantize;

    @Option(
            names = "--requantize",
            description = {
                "Quantise the merged matrices of a quantised base again, which loses digits of the adapters; how much",
                "is said."
            })
    private boolean requantize;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        if (adapter.adapters().isEmpty()) {
            throw new ParameterException(spec.commandLine(), "give the adapter to merge by --adapter");
        }
        if (dequantize && requantize) {
            throw new ParameterException(spec.commandLine(), "give --dequantize or --requantize, not both");
        }
        MergeRun run = new MergeRun(
                model.model(),
                adapter.adapters(),
                head,
                compute,
                dequantize
                        ? Merge.QuantizedPolicy.DEQUANTIZE
                        : requantize ? Merge.QuantizedPolicy.REQUANTIZE : Merge.QuantizedPolicy.REFUSE,
                new ConsoleListener(spec.commandLine().getErr()));
        spec.commandLine().getOut().println(run.write(output.folder()).shown(json.json()));
    }
}
