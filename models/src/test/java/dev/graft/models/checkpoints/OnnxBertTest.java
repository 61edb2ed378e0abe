package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.DType;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Scope;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxBertTest {
    static final int HEADS = Base.load(Fixtures.folder("bert-base")).config().integer("num_attention_heads");

    @TempDir
    Path folder;

    /** A fixture as PyTorch's exporter writes it: matrices transposed and numbered without order, biases with their names. */
    static OnnxFile onnx(String prefix, boolean quantized) {
        OnnxFile onnx = new OnnxFile();
        TensorSource source = Safetensors.open(Fixtures.folder("bert-base").resolve("model.safetensors"));
        int number = 1000;
        for (String name : source.names()) {
            TensorData tensor = source.tensor(name);
            if (name.startsWith("pooler.")) {
                continue;
            } else if (!name.endsWith(".weight") || name.contains("embeddings") || name.contains("LayerNorm")) {
                onnx.initialisers.put(prefix + name, tensor);
                continue;
            }
            String module = (prefix + name).replaceFirst("\\.weight$", "");
            String path = "/" + module.replace('.', '/').replaceAll("/(\\d+)/", ".$1/");
            String matrix = "onnx::MatMul_" + (number -= 7);
            TensorData stored = transposed(tensor);
            if (quantized) {
                quantize(onnx, matrix, stored);
                onnx.node(path + "/MatMul_quant", "MatMulInteger", path + "/q", "x", matrix + "_quantized", "z");
                onnx.node(path + "/Cast", "Cast", path + "/c", path + "/q");
                onnx.node(path + "/Mul", "Mul", path + "/p", path + "/c", "scale");
            } else {
                onnx.initialisers.put(matrix, stored);
                onnx.node(path + "/MatMul", "MatMul", path + "/p", "x", matrix);
            }
            onnx.node(path + "/Add", "Add", path + "/out", module + ".bias", path + "/p");
            if (module.endsWith("attention.self.query")) {
                onnx.constant(path + "/heads", OnnxFile.longs(HEADS));
                onnx.constant(path + "/size", OnnxFile.longs(32 / HEADS));
                onnx.node(path + "/Concat", "Concat", path + "/shape", "batch", "seq", path + "/heads", path + "/size");
                onnx.node(path + "/Reshape", "Reshape", path + "/r", path + "/out", path + "/shape");
            }
        }
        onnx.constant("epsilon", TensorData.of("epsilon", new float[] {1e-12f}));
        onnx.node("", "Add", "variance", "mean", "epsilon");
        onnx.node("", "Sqrt", "deviation", "variance");
        onnx.node("", "Erf", "gelu", "x");
        return onnx;
    }

    static TensorData transposed(TensorData tensor) {
        int out = (int) tensor.info().shape()[0];
        int in = (int) tensor.info().shape()[1];
        float[] values = tensor.floats();
        float[] turned = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            turned[i % in * out + i / in] = values[i];
        }
        return TensorData.of(tensor.info().name(), turned, in, out);
    }

    /** Columns {@code (code - 3) · (column + 1) / 64}. */
    private static void quantize(OnnxFile onnx, String name, TensorData matrix) {
        int out = (int) matrix.info().shape()[1];
        byte[] codes = new byte[(int) matrix.info().elements()];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) (i * 37);
        }
        float[] scales = new float[out];
        byte[] zeros = new byte[out];
        for (int column = 0; column < out; column++) {
            scales[column] = (column + 1) / 64f;
            zeros[column] = 3;
        }
        onnx.initialisers.put(
                name + "_quantized",
                new TensorData(new TensorInfo(name, DType.I8, matrix.info().shape()), ByteBuffer.wrap(codes)));
        onnx.initialisers.put(name + "_scale", TensorData.of(name, scales, out));
        onnx.initialisers.put(
                name + "_zero_point",
                new TensorData(new TensorInfo(name, DType.I8, new long[] {out}), ByteBuffer.wrap(zeros)));
    }

    Path write(OnnxFile onnx) throws IOException {
        onnx.write(folder.resolve("model.onnx"));
        return folder;
    }

    @Test
    void hiddenStatesAreThoseOfTheReference() throws IOException {
        Base base = Base.load(write(onnx("", false)));
        Fixtures reference = Fixtures.of("bert-base");
        try (Scope scope = new Scope()) {
            Inputs in = reference.inputs();
            reference.assertMatches(
                    "last_hidden_state",
                    base.forward(in, ForwardPass.inference(Hooks.NONE)).last());
        }
        assertThat(base.task()).isEqualTo(Task.FEATURE_EXTRACTION);
        assertThat(base.config().number("layer_norm_eps")).isEqualTo(1e-12);
        assertThat(base.config().string("hidden_act")).isEqualTo("gelu");
    }

    @Test
    void exportersPrefixIsTakenOff() throws IOException {
        OnnxFile prefixed = onnx("model.0.auto_model.", false);
        Base base = Base.load(write(prefixed));

        assertThat(base.parameters()).containsKey("encoder.layer.1.output.dense.weight");
        assertThat(base.parameters().keySet()).noneMatch(name -> name.contains("auto_model"));
    }

    @Test
    void integerMatricesAreDecodedByColumn() throws IOException {
        PretrainedCheckpoint checkpoint = PretrainedCheckpoints.open(write(onnx("", true)));
        String name = "encoder.layer.0.intermediate.dense.weight";
        float[] values = checkpoint.tensors().tensor(name).floats();
        int in = (int) checkpoint.tensors().info(name).shape()[1];
        int out = (int) checkpoint.tensors().info(name).shape()[0];

        assertThat(in).isEqualTo(32);
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                byte code = (byte) ((i * out + o) * 37);
                assertThat(values[o * in + i]).isEqualTo((code - 3) * ((o + 1) / 64f));
            }
        }
    }

    @Test
    void aNormOfOneOperationSaysItsEpsilon() throws IOException {
        OnnxFile onnx = onnx("", false);
        onnx.nodes.removeIf(node -> node.type().equals("Sqrt"));
        onnx.nodes.add(new OnnxFile.Node(
                "", "LayerNormalization", List.of("x", "w", "b"), "n", null, Map.of("epsilon", 1e-12f)));

        assertThat(Base.load(write(onnx)).config().number("layer_norm_eps")).isEqualTo(1e-12);
    }

    @Test
    void configBesideItIsTaken() throws IOException {
        OnnxFile onnx = onnx("", false);
        onnx.nodes.removeIf(node -> node.type().equals("Erf"));
        assertThatThrownBy(() -> Base.load(write(onnx)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("activation")
                .hasMessageContaining("put the model's config.json beside it");

        Files.copy(Fixtures.folder("bert-base").resolve("config.json"), folder.resolve("config.json"));
        assertThat(Base.load(folder).config().string("hidden_act")).isEqualTo("gelu");
    }

    @Test
    void savedBaseLoadsAsAFolder() throws IOException {
        OnnxFile onnx = onnx("", false);
        Files.copy(Fixtures.folder("bert-base").resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Base base = Base.load(write(onnx));
        base.save(folder.resolve("saved"));

        Base saved = Base.load(folder.resolve("saved"));
        assertThat(saved.checksum()).isEqualTo(base.checksum());
        assertThat(saved.tokenizer().specialTokens().byRole())
                .isEqualTo(base.tokenizer().specialTokens().byRole())
                .isNotEmpty();
    }

    @Test
    void graphsThatAreNoBertAreRefused() {
        refused(o -> o.initialisers.remove("embeddings.word_embeddings.weight"), "embeddings.word_embeddings.weight");
        refused(o -> o.node("", "CumSum", "positions", "mask"), "RoBERTa");
        refused(
                o -> o.initialisers.put("relative_attention_bias", TensorData.of("r", new float[8], 4, 2)),
                "relative_attention_bias");
        refused(
                o -> o.nodes.removeIf(n -> n.name().endsWith("layer.1/attention/self/key/Add")),
                "/encoder/layer.1/attention/self/key/MatMul",
                "not followed by the addition of a named bias");
        refused(o -> o.nodes.removeIf(n -> n.type().equals("Reshape")), "number of heads");
        refused(
                o -> o.nodes.replaceAll(n -> n.name().equals("/encoder/layer.0/attention/self/key/MatMul")
                        ? new OnnxFile.Node(
                                "/encoder/layer.0/attention/self/query/MatMul",
                                n.type(),
                                n.inputs(),
                                n.output(),
                                null,
                                Map.of())
                        : n),
                "is followed by the bias of encoder.layer.0.attention.self.key");
    }

    private void refused(Consumer<OnnxFile> change, String... messages) {
        OnnxFile onnx = onnx("", false);
        change.accept(onnx);
        assertThatThrownBy(() -> Base.load(write(onnx)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.onnx")
                .hasMessageContainingAll(messages);
    }
}
