package dev.graft.peft.convert;

import dev.graft.formats.DType;
import dev.graft.formats.GgufWriter;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.checkpoints.GgufNames;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Factors;
import dev.graft.peft.WeightUpdate;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Writes a low-rank adapter as a GGUF adapter of llama.cpp: {@code lora_a [r, in]} and {@code lora_b [out, r]} after the name of each matrix.
 * Rows of query and key projections are in llama.cpp's order.
 *
 * <p>A file has one alpha, and llama.cpp scales by alpha / r with each matrix's own r. So scalings of any kind (rslora, alphas by module) are
 * folded into B, narrower matrices are padded with zeros, and alpha is r: the scale is 1.
 */
public final class GgufLora {
    private GgufLora() {}

    /**
     * Writes the file.
     *
     * @param dtype F32, F16 or BF16
     * @throws InputException if the base isn't of the Llama kind, or the adapter is more than low-rank updates of linear layers
     */
    public static void write(Adapter adapter, Path file, DType dtype) {
        String method = adapter.method().type().name();
        GgufNames names = GgufNames.of(adapter.base().config());
        if (!adapter.config().modulesToSave().isEmpty()) {
            throw new InputException(method + ": a GGUF adapter can't hold the whole modules "
                    + adapter.config().modulesToSave() + "; export the merged model");
        }
        List<TensorData> tensors = new ArrayList<>();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Map<Linear, Factors> updates = new LinkedHashMap<>();
            Site whole = null;
            for (Site site : WeightUpdate.sites(adapter)) {
                WeightUpdate update = WeightUpdate.of(adapter, site);
                if (!(site instanceof Linear linear)) {
                    throw new InputException(
                            site.name() + ": a GGUF adapter is for linear layers; export the merged model");
                }
                if (update == null) {
                    continue;
                }
                if (update.bias() != null && Tensors.item(update.bias().norm()) != 0) {
                    throw new InputException(site.name()
                            + ": the adapter changes the bias there, which a GGUF adapter can't hold; "
                            + (linear.bias() == null
                                    ? "the base has none, so it can't be merged either: use the adapter beside the base"
                                    : "export the merged model"));
                }
                if (update.factors() == null) {
                    whole = site;
                } else {
                    updates.put(linear, update.factors());
                }
            }
            if (whole != null) {
                throw new InputException(
                        whole.name() + ": " + method + " is no product of two narrow matrices there, which is all that"
                                + " a GGUF adapter holds; make it one by `graft convert --to"
                                + " lora`, or export the merged model");
            }
            long rank = updates.values().stream()
                    .mapToLong(update -> update.a().size(0))
                    .max()
                    .orElseThrow(() -> new InputException(method + ": the adapter changes no weight"));
            updates.forEach((site, update) -> {
                String weight = site.name() + ".weight";
                long missing = rank - update.a().size(0);
                Tensor b = names.ordered(weight, update.b());
                tensors.add(data(names.name(weight) + ".lora_a", torch.pad(update.a(), 0, 0, 0, missing), dtype));
                tensors.add(data(names.name(weight) + ".lora_b", torch.pad(b, 0, missing), dtype));
            });
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("general.architecture", names.architecture());
            fields.put("general.type", "adapter");
            fields.put("general.name", adapter.base().name() + " " + method);
            fields.put("general.file_type", dtype == DType.F32 ? 0 : dtype == DType.F16 ? 1 : 32);
            fields.put("adapter.type", "lora");
            fields.put("adapter.lora.alpha", (float) rank);
            GgufWriter.write(file, fields, tensors);
        }
    }

    private static TensorData data(String name, Tensor values, DType dtype) {
        ScalarType type =
                dtype == DType.F32 ? ScalarType.Float : dtype == DType.F16 ? ScalarType.Half : ScalarType.BFloat16;
        Tensor kept = Ops.to(values, type).contiguous();
        return new TensorData(
                new TensorInfo(name, TensorConversion.dtype(kept), Tensors.shape(kept)), Tensors.bytes(kept));
    }
}
