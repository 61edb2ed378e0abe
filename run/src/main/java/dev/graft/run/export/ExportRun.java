package dev.graft.run.export;

import dev.graft.formats.DType;
import dev.graft.formats.FileTree;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Merge;
import dev.graft.peft.convert.GgufLora;
import dev.graft.run.merge.LogitSimilarity;
import dev.graft.run.merge.ModelFolder;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.tensor.Numerics;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A run of {@code graft export}: writes a model or an adapter in the format of another program.
 *
 * @param dtype the type of the matrices
 * @param overwrite true if existing files may be replaced
 */
public record ExportRun(
        String model,
        List<String> adapters,
        HeadSettings head,
        ExportFormat format,
        DType dtype,
        Path out,
        boolean overwrite,
        RunListener listener) {

    /**
     * The exported files.
     *
     * @param bytes the size of the files
     * @param similarity the comparison with the adapted model; null if none was made
     */
    public record Result(
            ExportFormat format,
            Path out,
            long bytes,
            @Nullable LogitSimilarity similarity) {}

    /**
     * Writes the files.
     *
     * @throws InputException if the target exists already, or the model can't be expressed in the format
     */
    public Result write() {
        requireFree();
        LoadedModel loaded = LoadedModel.of(model, adapters, head, ComputeSettings.of(Numerics.FP32), listener);
        LogitSimilarity similarity = null;
        if (format == ExportFormat.GGUF_ADAPTER) {
            if (loaded.adapters().size() != 1) {
                throw new InputException("--to gguf-adapter writes one adapter, there are "
                        + loaded.adapters().size() + "; combine several by `graft merge-adapters`");
            }
            GgufLora.write(loaded.adapters().get(0), out, dtype);
        } else {
            loaded.requireTrained();
            Base merged = Merge.merge(loaded.base(), loaded.selection(), Merge.QuantizedPolicy.DEQUANTIZE)
                    .base();
            if (format == ExportFormat.HF) {
                new ModelFolder(out, overwrite).requireElsewhere(loaded, adapters, "exported");
                merged.save(out, dtype);
            } else {
                merged.saveGguf(out, dtype);
            }
            similarity = LogitSimilarity.of(
                    loaded,
                    Base.load(out, Base.Options.DEFAULT.withTask(loaded.base().task())));
        }
        return new Result(format, out, FileTree.bytes(out), similarity);
    }

    private void requireFree() {
        if (format == ExportFormat.HF) {
            new ModelFolder(out, overwrite).requireFree();
        } else if (Files.exists(out) && (!overwrite || Files.isDirectory(out))) {
            throw new InputException(
                    "--out " + out + " is there; name another file, or give --overwrite to replace it");
        } else if (!out.toString().endsWith(".gguf")) {
            throw new InputException("--out " + out + ": a GGUF file is known by its ending, .gguf");
        }
    }
}
