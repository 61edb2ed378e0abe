package dev.graft.models.checkpoints;

import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The linear layers of a graph's unnamed matrices. The name of a matrix is that of the bias that is added to its
 * product. The numbers in names such as {@code onnx::MatMul_787} have no meaning.
 */
final class OnnxLinears {
    private final Onnx file;
    private final Map<String, Onnx.Node> consumers = new HashMap<>();
    private final Map<String, String> weights = new HashMap<>();

    /** @param wanted a filter of nodes by their names */
    OnnxLinears(Onnx file, Predicate<String> wanted) {
        this.file = file;
        for (Onnx.Node node : file.nodes()) {
            for (String input : node.inputs()) {
                consumers.put(input, node);
            }
        }
        for (Onnx.Node node : file.nodes()) {
            boolean product = node.opType().equals("MatMul") || node.opType().equals("MatMulInteger");
            if (product && wanted.test(node.name())) {
                for (String input :
                        node.inputs().subList(0, Math.min(2, node.inputs().size()))) {
                    if (file.names().contains(input) && file.info(input).rank() == 2) {
                        weights.put(input, name(node, input));
                    }
                }
            }
        }
    }

    /** Returns the name of a matrix of a product, null for other initialisers. */
    @Nullable
    String weight(String initialiser) {
        return weights.get(initialiser);
    }

    private String name(Onnx.Node product, String matrix) {
        Onnx.Node node = next(product);
        // An int8 product is cast and scaled before the bias is added.
        for (int step = 0; step < 4 && node != null && Set.of("Cast", "Mul").contains(node.opType()); step++) {
            node = next(node);
        }
        for (String input : node == null || !node.opType().equals("Add") ? List.<String>of() : node.inputs()) {
            if (file.names().contains(input) && input.endsWith(".bias")) {
                String name = input.substring(0, input.length() - "bias".length()) + "weight";
                requireAgreement(product, name);
                return name;
            }
        }
        throw new FormatException(
                file.path(),
                "the product " + product.name() + " with " + matrix
                        + " is not followed by the addition of a named bias, so its layer is not known");
    }

    private Onnx.@Nullable Node next(Onnx.Node node) {
        return node.outputs().isEmpty() ? null : consumers.get(node.outputs().get(0));
    }

    /**
     * Requires the name of a node to agree with that of the weight. Exporters name nodes by their module:
     * {@code /encoder/layer.0/attention/self/query/MatMul}.
     */
    private void requireAgreement(Onnx.Node product, String weight) {
        int end = product.name().lastIndexOf('/');
        if (!product.name().startsWith("/") || end < 1) {
            return;
        }
        String module = product.name().substring(1, end).replace('/', '.');
        String layer = weight.substring(0, weight.length() - ".weight".length());
        if (!layer.equals(module) && !layer.endsWith("." + module) && !module.endsWith("." + layer)) {
            throw new FormatException(
                    file.path(), "the product " + product.name() + " is followed by the bias of " + layer);
        }
    }
}
