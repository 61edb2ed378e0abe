package dev.graft.cli.export;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.formats.DType;
import dev.graft.run.export.ExportFormat;
import dev.graft.run.export.ExportRun;
import java.nio.file.Path;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "export",
        description = "Write a model, with its adapters merged, or an adapter as a file of another program.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "  hf             a Hugging Face folder",
            "  gguf           one GGUF file for llama.cpp, of Llama, Mistral, Qwen 2 and Qwen 3",
            "  gguf-adapter   a LoRA as llama.cpp's adapter file, for a GGUF file of its base",
            "The model is merged in fp32 and rounded once, to --dtype. What was written is read again and its logits"
                    + " are",
            "compared with those of the adapted model.",
            "",
            "Examples:",
            "  graft export -m smollm2 --adapter runs/chat/adapter --to gguf --dtype fp16 -o chat.gguf",
            "  graft export -m smollm2 --adapter runs/chat/adapter --to gguf-adapter -o chat-lora.gguf",
            "  graft export -m smollm2 --adapter runs/chat/adapter --to hf --dtype bf16 -o chat"
        })
public final class ExportCommand implements Runnable {

    private enum Numbers {
        fp32(DType.F32),
        fp16(DType.F16),
        bf16(DType.BF16);

        private final DType dtype;

        Numbers(DType dtype) {
            this.dtype = dtype;
        }
    }

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Option(names = "--to", required = true, paramLabel = "FORM", description = "hf, gguf or gguf-adapter.")
    @SuppressWarnings("NullAway.Init")
    private String form;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = "Type of the matrices: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private Numbers numbers = Numbers.fp32;

    @Option(
            names = {"-o", "--out"},
            required = true,
            paramLabel = "PATH",
            description = "The folder or file to write.")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(names = "--overwrite", description = "Replace what is there.")
    private boolean overwrite;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        ExportFormat format = Stream.of(ExportFormat.values())
                .filter(each -> each.toString().equals(form))
                .findFirst()
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(), "--to is " + form + ", expected hf, gguf or gguf-adapter"));
        ExportRun.Result result = new ExportRun(
                        model.model(),
                        adapter.adapters(),
                        head,
                        format,
                        numbers.dtype,
                        out,
                        overwrite,
                        new ConsoleListener(spec.commandLine().getErr()))
                .write();
        ExportText text = new ExportText(result, numbers.name());
        spec.commandLine().getOut().println(json.json() ? text.json() : text.text());
    }
}
