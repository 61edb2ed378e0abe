package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The fields of a BERT's config.json, derived from its ONNX graph: sizes from the shapes of its tensors, the rest from
 * its nodes.
 */
final class OnnxBertConfig {
    private final Onnx graph;
    private final TensorSource tensors;
    private final Map<String, Onnx.Node> producers = new HashMap<>();
    private final Set<String> operations;

    OnnxBertConfig(Onnx graph, TensorSource tensors) {
        this.graph = graph;
        this.tensors = tensors;
        for (Onnx.Node node : graph.nodes()) {
            for (String output : node.outputs()) {
                producers.put(output, node);
            }
        }
        operations = graph.nodes().stream().map(Onnx.Node::opType).collect(Collectors.toSet());
    }

    ObjectNode read() {
        if (operations.contains("CumSum")) {
            throw unclear("counts positions from the mask, as RoBERTa does and BERT does not");
        }
        long hidden = shape("embeddings.word_embeddings.weight")[1];
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.putArray("architectures").add("BertModel");
        config.put("model_type", "bert");
        config.put("vocab_size", shape("embeddings.word_embeddings.weight")[0]);
        config.put("hidden_size", hidden);
        config.put("num_hidden_layers", layers());
        config.put("num_attention_heads", heads(hidden));
        config.put("intermediate_size", shape("encoder.layer.0.intermediate.dense.weight")[0]);
        config.put("max_position_embeddings", shape("embeddings.position_embeddings.weight")[0]);
        config.put("type_vocab_size", shape("embeddings.token_type_embeddings.weight")[0]);
        config.put("hidden_act", activation());
        config.put("layer_norm_eps", epsilon());
        config.put("pad_token_id", 0);
        return config;
    }

    private long[] shape(String name) {
        return PretrainedCheckpoint.matrix(tensors, name);
    }

    private int layers() {
        Set<Integer> layers = new TreeSet<>();
        for (String name : tensors.names()) {
            if (name.matches("encoder\\.layer\\.\\d{1,4}\\..*")) {
                layers.add(Integer.valueOf(name.split("\\.")[2]));
            }
        }
        return layers.size();
    }

    /** Returns the number of heads. Queries are reshaped to {@code [batch, seq, heads, headDim]}. */
    private long heads(long hidden) {
        for (Onnx.Node node : graph.nodes()) {
            if (node.opType().equals("Reshape")
                    && node.inputs().size() == 2
                    && isQuery(node.inputs().get(0))) {
                List<Long> sizes = sizes(node.inputs().get(1));
                int last = sizes.size() - 1;
                Long heads = last == 3 ? sizes.get(2) : null;
                Long headDim = last == 3 ? sizes.get(3) : null;
                if (heads != null && headDim != null && heads > 0 && heads * headDim == hidden) {
                    return heads;
                }
            }
        }
        throw unclear("has no reshaping of its queries that shows the number of heads");
    }

    private boolean isQuery(String value) {
        Onnx.Node node = producers.get(value);
        return node != null && node.inputs().stream().anyMatch(input -> input.endsWith("attention.self.query.bias"));
    }

    /** Returns the sizes in a shape; null for those that depend on the input. */
    private List<@Nullable Long> sizes(String value) {
        long[] constant = longs(value);
        List<@Nullable Long> sizes = new ArrayList<>();
        if (constant != null) {
            for (long size : constant) {
                sizes.add(size);
            }
            return sizes;
        }
        Onnx.Node concat = producers.get(value);
        for (String part : concat == null ? List.<String>of() : concat.inputs()) {
            long[] size = longs(part);
            sizes.add(size == null || size.length != 1 ? null : (Long) size[0]);
        }
        return sizes;
    }

    private long @Nullable [] longs(String value) {
        TensorData constant = constant(value);
        if (constant == null || constant.info().dtype() != DType.I64) {
            return null;
        }
        LongBuffer longs = constant.bytes().asLongBuffer();
        long[] values = new long[longs.remaining()];
        longs.get(values);
        return values;
    }

    private @Nullable TensorData constant(String value) {
        return graph.names().contains(value) ? graph.tensor(value) : graph.constant(value);
    }

    private String activation() {
        if (operations.contains("Erf")) {
            return "gelu";
        } else if (operations.contains("Tanh")) {
            return "gelu_new";
        } else if (operations.contains("Relu")) {
            return "relu";
        }
        throw unclear("has none of the operations Erf, Tanh and Relu that show its activation");
    }

    /** Returns the epsilon before the square root of a layer norm, which may be one operation or several. */
    private double epsilon() {
        Set<Double> found = new TreeSet<>();
        for (Onnx.Node node : graph.nodes()) {
            if (node.opType().equals("LayerNormalization")) {
                found.add(Double.valueOf(Float.toString(node.floats().getOrDefault("epsilon", 1e-5f))));
            }
            Onnx.Node sum = node.opType().equals("Sqrt") && !node.inputs().isEmpty()
                    ? producers.get(node.inputs().get(0))
                    : null;
            for (String input : sum == null ? List.<String>of() : sum.inputs()) {
                TensorData constant = constant(input);
                if (constant != null && constant.info().elements() == 1) {
                    found.add(Double.valueOf(Float.toString(constant.floats()[0])));
                }
            }
        }
        if (found.size() != 1) {
            throw unclear("has " + found + " as what is added before square roots, expected one epsilon");
        }
        return found.iterator().next();
    }

    private FormatException unclear(String why) {
        return new FormatException(
                graph.path(), why + "; put the model's config.json beside it to say how it is built");
    }
}
