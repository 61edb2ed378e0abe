package dev.graft.run.bench;

import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.UnitFormat;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Locale;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The time and memory to load a model.
 *
 * @param numbers the number format
 * @param bytes the size of the weights
 * @param first seconds of the first load
 * @param again seconds of the second load, with the files in the page cache
 * @param share the growth of memory as a multiple of the weights; null if unknown
 */
public record LoadTimes(
        String model,
        String numbers,
        long bytes,
        double first,
        double again,
        @Nullable Double share) {

    /** Loads a model twice: the first load measures the memory, the second, with warm files and code, the time. */
    public static LoadTimes measure(String model, ComputeSettings compute) {
        LoadedModel.useThreads(compute);
        Path files = new Hub().fetch(model);
        Base.Options options =
                Base.Options.DEFAULT.withNumerics(compute.numerics()).withQuantization(compute.quantization());
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
        return new LoadTimes(model, LoadedModel.precision(base), base.parameterBytes(), first, again, share);
    }

    public String json() {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("model", model)
                .put("seconds", again)
                .put("first_seconds", first)
                .put("weight_bytes", bytes)
                .put("memory_share", share);
        return Json.compact(node);
    }

    public String text() {
        return String.format(
                Locale.ROOT,
                "%s: %s of weights in %s, ready in %.2f s (%.2f s the first time)%s",
                model,
                UnitFormat.bytes(bytes),
                numbers,
                again,
                first,
                share == null ? "" : String.format(Locale.ROOT, ", memory grew by %.2f times the weights", share));
    }
}
