package dev.graft.models.checkpoints;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorInfo;
import dev.graft.hub.ModelFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The initialisers of a T5's two ONNX graphs under their Hugging Face names. T5's layers have no biases to identify
 * them, but exporters name the products by their modules: {@code /decoder/block.0/layer.0/SelfAttention/q/MatMul}.
 */
final class OnnxT5 extends OnnxTensors {
    private static final String NORM = "final_layer_norm.weight";
    private static final String SHARED = "shared.weight";
    private static final String DISTANCES = "block.0.layer.0.SelfAttention.relative_attention_bias.weight";

    private final Onnx encoder;

    private OnnxT5(Onnx encoder, Onnx decoder) {
        super("T5", decoder, new LinkedHashMap<>());
        this.encoder = encoder;
        map(encoder, "encoder.");
        map(decoder, "decoder.");
    }

    /**
     * Opens both graphs. The configuration is the config.json next to them, or is derived from the graphs if there is
     * none.
     */
    static PretrainedCheckpoint open(ModelFiles.OnnxPair files) {
        List<Onnx> opened = new ArrayList<>();
        try {
            opened.add(Onnx.open(files.encoder()));
            opened.add(Onnx.open(files.decoder()));
            OnnxT5 tensors = new OnnxT5(opened.get(0), opened.get(1));
            Path config = files.decoder().resolveSibling("config.json");
            return new PretrainedCheckpoint(
                    Files.isRegularFile(config)
                            ? Fields.read(config)
                            : PretrainedCheckpoint.fields(files.decoder(), tensors.config()),
                    tensors,
                    Objects.requireNonNullElse(
                            files.tokenizer(), files.decoder().resolveSibling("tokenizer.json")));
        } catch (RuntimeException | Error e) {
            opened.forEach(Onnx::close);
            throw e;
        }
    }

    private void map(Onnx file, String side) {
        Map<String, OnnxMatrix> found = new LinkedHashMap<>();
        for (String initialiser : file.names()) {
            boolean quantized = initialiser.endsWith(".weight" + OnnxMatrix.QUANTIZED);
            if (quantized || initialiser.endsWith(".weight")) {
                String name = quantized ? plain(initialiser) : initialiser;
                found.put(name, new OnnxMatrix(file, name, false, quantized));
            }
        }
        for (Onnx.Node node : file.nodes()) {
            String matrix = node.inputs().size() < 2 ? "" : node.inputs().get(1);
            boolean product = node.opType().equals("MatMul") || node.opType().equals("MatMulInteger");
            if (product && file.names().contains(matrix) && file.info(matrix).rank() == 2) {
                boolean quantized = matrix.endsWith(OnnxMatrix.QUANTIZED);
                found.put(
                        module(file, node) + ".weight",
                        new OnnxMatrix(file, quantized ? plain(matrix) : matrix, true, quantized));
            }
        }
        String stem = found.keySet().stream()
                .filter(name -> name.endsWith(NORM))
                .findFirst()
                .map(name -> name.substring(0, name.length() - NORM.length()))
                .orElseThrow(() -> new FormatException(file.path(), "has no initialiser " + NORM + ", as a T5 has"));
        found.forEach((name, matrix) -> {
            String own = name.startsWith(stem)
                    ? side + name.substring(stem.length())
                    : name.endsWith(SHARED) ? SHARED : name.endsWith("lm_head.weight") ? "lm_head.weight" : name;
            stored.put(own, matrix);
        });
    }

    private static String plain(String quantized) {
        return quantized.substring(0, quantized.length() - OnnxMatrix.QUANTIZED.length());
    }

    private static String module(Onnx file, Onnx.Node product) {
        int end = product.name().lastIndexOf("/MatMul");
        if (!product.name().startsWith("/") || end < 1) {
            throw new FormatException(
                    file.path(),
                    "the product \"" + product.name() + "\" is not named by its module, so its layer is not known");
        }
        return product.name().substring(1, end).replace('/', '.');
    }

    private ObjectNode config() {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("model_type", "t5");
        config.putArray("architectures").add("T5ForConditionalGeneration");
        long[] tokens = shape(SHARED);
        long[] distances = shape("decoder." + DISTANCES);
        long inner = shape("decoder.block.0.layer.0.SelfAttention.q.weight")[0];
        config.put("vocab_size", tokens[0]).put("d_model", tokens[1]);
        config.put("num_heads", distances[1]).put("relative_attention_num_buckets", distances[0]);
        config.put("d_kv", inner / distances[1]);
        config.put("num_layers", layers("encoder."));
        config.put("num_decoder_layers", layers("decoder."));
        boolean gated = stored.containsKey("decoder.block.0.layer.2.DenseReluDense.wi_0.weight");
        String up = gated ? "wi_0" : "wi";
        config.put("d_ff", shape("decoder.block.0.layer.2.DenseReluDense." + up + ".weight")[0]);
        config.put("feed_forward_proj", gated ? "gated-gelu" : "relu");
        config.put("tie_word_embeddings", !stored.containsKey("lm_head.weight"));
        config.put("decoder_start_token_id", 0).put("pad_token_id", 0).put("eos_token_id", 1);
        return config;
    }

    private int layers(String side) {
        int layers = 0;
        while (stored.containsKey(side + "block." + layers + ".layer.0.SelfAttention.q.weight")) {
            layers++;
        }
        return layers;
    }

    private long[] shape(String name) {
        TensorInfo info = info(name);
        if (info.rank() != 2) {
            throw new FormatException(path(), info + ": expected a matrix");
        }
        return info.shape();
    }

    @Override
    public void close() {
        encoder.close();
        super.close();
    }
}
