package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.peft.Merge;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.merge.ConvertRun;
import dev.graft.run.merge.MergeRun;
import dev.graft.run.merge.ModelFolder;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "convert",
        description = "Write an adapter in another form: as a plain LoRA, or as part of its model's weights.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Any adapter that merges can become LoRA: each layer gets the update of that rank that is nearest to its"
                    + " own,",
            "and the relative error is printed. Without --rank each update gets the rank it needs: LoRA with another"
                    + " start",
            "(PiSSA, OLoRA) then loses nothing. What DyLoRA trained is cut to any of its ranks by --truncate. --to"
                    + " merged is",
            "what `graft merge` does.",
            "",
            "Examples:",
            "  graft convert runs/loha/adapter --model smollm2 --to lora --rank 16 --out converted",
            "  graft convert runs/dylora/adapter --model smollm2 --to lora --rank 4 --truncate --out rank-4",
            "  graft convert runs/pissa/adapter --model smollm2 --to lora --out converted",
            "  graft convert runs/dora/adapter --model smollm2 --to merged --out merged"
        })
public final class ConvertCommand implements Runnable {

    private enum Form {
        lora,
        merged
    }

    @Parameters(paramLabel = "ADAPTER", description = "A folder with adapter_config.json, or hf:OWNER/NAME.")
    @SuppressWarnings("NullAway.Init")
    private String adapter;

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.FP32);

    @Option(names = "--to", required = true, paramLabel = "FORM", description = "lora or merged.")
    @SuppressWarnings("NullAway.Init")
    private Form form;

    @Option(names = "--rank", paramLabel = "R", description = "The most that the rank of an update may be.")
    private @Nullable Integer rank;

    @Option(
            names = "--truncate",
            description = "Keep the first R ranks of a LoRA, as DyLoRA trains them to be kept, in place of the nearest"
                    + " update.")
    private boolean truncate;

    @Mixin
    private OutputFolderOptions output = new OutputFolderOptions();

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        if (form == Form.merged && rank != null) {
            throw new ParameterException(spec.commandLine(), "--rank belongs to --to lora");
        }
        if (truncate && (form == Form.merged || rank == null)) {
            throw new ParameterException(spec.commandLine(), "--truncate needs --to lora and --rank");
        }
        ConsoleListener listener = new ConsoleListener(spec.commandLine().getErr());
        ModelFolder folder = output.folder();
        String shown = form == Form.lora
                ? new ConvertRun(model.model(), adapter, head, compute, listener)
                        .write(folder, rank, truncate)
                        .shown(json.json())
                : new MergeRun(model.model(), List.of(adapter), head, compute, Merge.QuantizedPolicy.REFUSE, listener)
                        .write(folder)
                        .shown(json.json());
        spec.commandLine().getOut().println(shown);
    }
}
