package dev.graft.parity;

import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** The names, types and shapes of the tensors in a file, as manifests state them. */
final class TensorListing {
    private TensorListing() {}

    static void compare(CaseCheck check, Path file, JsonNode tensors) {
        List<String> stated = new ArrayList<>();
        // AdapterHub's manifests have a map: {"weight": "F32[4,32]"}.
        tensors.properties().forEach(tensor -> {
            String text = tensor.getValue().asString();
            int at = text.indexOf('[');
            stated.add(tensor.getKey() + " " + text.substring(0, at) + " "
                    + text.substring(at).replace(",", ", "));
        });
        for (JsonNode tensor : tensors.isArray() ? tensors : List.<JsonNode>of()) {
            List<Long> shape = new ArrayList<>();
            tensor.path("shape").forEach(size -> shape.add(size.longValue()));
            stated.add(
                    tensor.path("name").asString() + " " + tensor.path("dtype").asString() + " " + shape);
        }
        try (TensorSource source = Safetensors.open(file)) {
            List<String> found = source.names().stream()
                    .map(name -> source.info(name).toString())
                    .sorted()
                    .toList();
            check.same(
                    "the tensors of " + file.getFileName(),
                    found,
                    stated.stream().sorted().toList());
        }
    }

    /**
     * Returns whether a bias of a module that is saved whole is under the name of the wrapper around the module. The reference saves such
     * copies when it trains all biases.
     */
    private static boolean isLeftover(String name) {
        return name.endsWith(".bias") && (name.contains(".original_module.") || name.contains(".modules_to_save."));
    }

    /** Names and shapes, whatever the types. */
    static List<String> namesAndShapes(Path file) {
        try (TensorSource source = Safetensors.open(file)) {
            return source.names().stream()
                    .filter(name -> !isLeftover(name))
                    .map(name -> name + " " + Arrays.toString(source.info(name).shape()))
                    .sorted()
                    .toList();
        }
    }
}
