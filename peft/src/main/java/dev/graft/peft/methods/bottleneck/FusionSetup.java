package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.peft.Adapter;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/**
 * The files that AdapterHub's {@code save_adapter_setup} writes for a fusion.
 *
 * @param folder the folder of the fusion
 * @param settings the settings of the fusion
 * @param names the names of the fused adapters, in order
 * @param stacks the adapters stacked below those of the fusion, by the names of the latter
 */
record FusionSetup(Path folder, FusionSettings settings, List<String> names, Map<String, List<String>> stacks) {
    private static final String TREE = "adapter_setup.json";

    static FusionSetup read(Path setup, String fusion) {
        Path folder = setup.resolve(fusion);
        Fields file = Fields.read(folder.resolve("adapter_fusion_config.json"));
        file.ignore("hidden_size", "model_class", "model_name", "model_type", "name", "version");
        FusionSettings settings = FusionSettings.read(file.object("config"));
        List<String> names = file.strings("adapter_names");
        file.rejectUnread("It may change what the fusion means; remove it if it does not.");
        return new FusionSetup(folder, settings, names, stacks(setup.resolve(TREE), names));
    }

    /** Returns the names of the adapters that are stacked below one. */
    List<String> below(String name) {
        return stacks.getOrDefault(name, List.of());
    }

    /** Returns the adapters that are stacked below those of a fusion, by the names of the latter. */
    private static Map<String, List<String>> stacks(Path file, List<String> names) {
        Map<String, List<String>> stacks = new LinkedHashMap<>();
        if (Files.exists(file)) {
            collect(file, Json.read(file).path("adapter_setup"), names, stacks);
        }
        return stacks;
    }

    private static void collect(Path file, JsonNode node, List<String> fused, Map<String, List<String>> stacks) {
        boolean fuse = node.path("type").asString("").equals("Fuse");
        List<List<String>> children = new ArrayList<>();
        for (JsonNode child : node.path("children")) {
            if (fuse) {
                children.add(names(file, child));
            } else {
                collect(file, child, fused, stacks);
            }
        }
        if (fused.equals(
                children.stream().map(child -> child.get(child.size() - 1)).toList())) {
            children.forEach(child -> stacks.put(child.get(child.size() - 1), child.subList(0, child.size() - 1)));
        }
    }

    /** The names of an adapter, or of a stack of them. */
    private static List<String> names(Path file, JsonNode node) {
        List<String> names = new ArrayList<>();
        switch (node.path("type").asString("")) {
            case "single" -> names.add(node.path("children").path(0).asString(""));
            case "Stack" -> node.path("children").forEach(child -> names.addAll(names(file, child)));
            default ->
                throw new InputException(file + ": a part of the fusion is "
                        + InputException.quote(node.path("type").asString("")) + ", expected an adapter or a Stack");
        }
        if (names.isEmpty()) {
            throw new InputException(file + ": a Stack in the fusion is empty");
        }
        return names;
    }

    /** Copies the attention's values from their file. It must hold all of them and nothing else. */
    void copyAttention(Adapter adapter) {
        Path path = folder.resolve("model_adapter_fusion.safetensors");
        String prefix = adapter.base().architecture().prefix();
        Map<String, Tensor> wanted = new LinkedHashMap<>();
        adapter.trainable().forEach((key, value) -> {
            if (key.contains(".adapter_fusion_layer.")) {
                wanted.put(key.startsWith(prefix) ? key.substring(prefix.length()) : key, value);
            }
        });
        try (Safetensors file = Safetensors.open(path);
                NoGrad noGrad = new NoGrad()) {
            for (String name : file.names()) {
                Tensor value = wanted.remove(name.startsWith(prefix) ? name.substring(prefix.length()) : name);
                TensorInfo info = file.info(name);
                if (value == null || !Arrays.equals(info.shape(), Tensors.shape(value))) {
                    throw new InputException(path + ": " + name + " " + Arrays.toString(info.shape())
                            + " is not what the fusion's configuration and the base call for");
                }
                value.copy_(Tensors.of(file.bytes(name), TensorConversion.type(info), info.shape()));
            }
        }
        if (!wanted.isEmpty()) {
            throw new InputException(
                    path + ": has no tensor " + wanted.keySet().iterator().next());
        }
    }
}
