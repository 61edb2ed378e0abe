package dev.graft.cli.export;

import dev.graft.cli.merge.Likeness;
import dev.graft.cli.merge.OutFolder;
import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.Loading;
import dev.graft.formats.DType;
import dev.graft.formats.FileTree;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Merge;
import dev.graft.peft.convert.GgufLora;
import java.nio.file.Files;
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
            "The model is merged in fp32 and rounded once, to --dtype. What was written is read again and its logits are",
            "compared with those of the adapted model.",
            "",
            "Examples:",
            "  graft export -m smollm2 --adapter runs/chat/adapter --to gguf --dtype fp16 -o chat.gguf",
            "  graft export -m smollm2 --adapter runs/chat/adapter --to gguf-adapter -o chat-lora.gguf",
            "  graft export -m smollm2 --adapter runs/chat/adapter --to hf --dtype bf16 -o chat"
        })
public final class ExportCommand implements Runnable {

    private enum Form {
        hf("hf"),
        gguf("gguf"),
        adapter("gguf-adapter");

        private final String title;

        Form(String title) {
            this.title = title;
        }

        @Override
        public String toString() {
            return title;
        }
    }

    private enum Numbers {
        fp32(DType.F32),
        fp16(DType.F16),
        bf16(DType.BF16);

        private final DType dtype;

        Numbers(DType dtype) {
            this.dtype = dtype;
        }
    }

    @Option(
            names = {"-m", "--model"},
            required = true,
            paramLabel = "MODEL",
            description = "The base, as for `graft merge`.")
    @SuppressWarnings("NullAway.Init")
    private String model;

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
            description = "Of the matrices: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
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
        Form wanted = Stream.of(Form.values())
                .filter(each -> each.title.equals(form))
                .findFirst()
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(), "--to is " + form + ", expected hf, gguf or gguf-adapter"));
        requireFree(wanted);
        Loading loaded = Loading.of(
                model,
                adapter.adapters(),
                head,
                new ComputeOptions(ComputeOptions.DType.fp32),
                spec.commandLine().getErr());
        Likeness likeness = null;
        if (wanted == Form.adapter) {
            if (loaded.adapters().size() != 1) {
                throw new InputException("--to gguf-adapter writes one adapter, there are "
                        + loaded.adapters().size() + "; combine several by `graft merge-adapters`");
            }
            GgufLora.write(loaded.adapters().get(0), out, numbers.dtype);
        } else {
            loaded.requireTrained();
            Base merged = Merge.merge(loaded.base(), loaded.selection(), Merge.Quantised.DEQUANTIZE)
                    .base();
            if (wanted == Form.hf) {
                new OutFolder(out, overwrite).requireElsewhere(loaded, adapter.adapters(), "exported");
                merged.save(out, numbers.dtype);
            } else {
                merged.saveGguf(out, numbers.dtype);
            }
            likeness = Likeness.of(
                    loaded,
                    Base.load(out, Base.Options.DEFAULT.withTask(loaded.base().task())));
        }
        Exported exported = new Exported(out, wanted.title, numbers.name(), FileTree.bytes(out), likeness);
        spec.commandLine().getOut().println(json.json() ? exported.json() : exported.text());
    }

    private void requireFree(Form wanted) {
        if (wanted == Form.hf) {
            new OutFolder(out, overwrite).requireFree();
        } else if (Files.exists(out) && (!overwrite || Files.isDirectory(out))) {
            throw new InputException(
                    "--out " + out + " is there; name another file, or give --overwrite to replace it");
        } else if (!out.toString().endsWith(".gguf")) {
            throw new InputException("--out " + out + ": a GGUF file is known by its ending, .gguf");
        }
    }
}
