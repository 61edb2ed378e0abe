package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.StoredTensors;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.Fusion.Child;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** Reads what AdapterHub's {@code save_adapter_setup} writes where there is a fusion. */
final class FusionSetup {
    private static final String TREE = "adapter_setup.json";

    private FusionSetup() {}

    static Adapter load(Base base, Path setup, String fusion) {
        Path folder = setup.resolve(fusion);
        Fields file = Fields.read(folder.resolve("adapter_fusion_config.json"));
        file.informational("hidden_size", "model_class", "model_name", "model_type", "name", "version");
        Fusion.Settings settings = Fusion.settings(file.object("config"));
        List<String> names = file.strings("adapter_names");
        file.refuseUnread("It may change what the fusion means; remove it if it does not.");
        Map<String, List<String>> stacks = stacks(setup.resolve(TREE), names);
        List<Child> children = new ArrayList<>();
        for (String name : names) {
            Child[] below = stacks.getOrDefault(name, List.of()).stream()
                    .map(under -> child(base, setup, under))
                    .toArray(Child[]::new);
            children.add(child(base, setup, name, below));
        }
        Adapter adapter = Adapter.create(base, new Fusion(settings, children), 0);
        read(folder.resolve("model_adapter_fusion.safetensors"), adapter);
        if (settings.temperature()) {
            // AdapterHub doesn't save it: that of a training which was long enough.
            try (NoGrad off = new NoGrad()) {
                Fusion.temperature(adapter).fill_(new Scalar(1.0));
            }
        }
        return adapter;
    }

    private static Child child(Base base, Path setup, String name, Child... below) {
        return Fusion.child(name, Adapter.load(base, setup.resolve(name)), below);
    }

    /** What is stacked below the adapters of a fusion, by their names. */
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
                        + InputException.shown(node.path("type").asString("")) + ", expected an adapter or a Stack");
        }
        if (names.isEmpty()) {
            throw new InputException(file + ": a Stack in the fusion is empty");
        }
        return names;
    }

    /** Takes the attention's values from a file; it must hold all of them and nothing else. */
    private static void read(Path path, Adapter adapter) {
        String prefix = adapter.base().architecture().prefix();
        Map<String, Tensor> wanted = new LinkedHashMap<>();
        adapter.trainable().forEach((key, value) -> {
            if (key.contains(".adapter_fusion_layer.")) {
                wanted.put(key.startsWith(prefix) ? key.substring(prefix.length()) : key, value);
            }
        });
        try (Safetensors file = Safetensors.open(path);
                NoGrad off = new NoGrad()) {
            for (String name : file.names()) {
                Tensor value = wanted.remove(name.startsWith(prefix) ? name.substring(prefix.length()) : name);
                TensorInfo info = file.info(name);
                if (value == null || !Arrays.equals(info.shape(), Tensors.shape(value))) {
                    throw new InputException(path + ": " + name + " " + Arrays.toString(info.shape())
                            + " is not what the fusion's configuration and the base call for");
                }
                value.copy_(Tensors.of(file.bytes(name), StoredTensors.type(info), info.shape()));
            }
        }
        if (!wanted.isEmpty()) {
            throw new InputException(
                    path + ": has no tensor " + wanted.keySet().iterator().next());
        }
    }
}
