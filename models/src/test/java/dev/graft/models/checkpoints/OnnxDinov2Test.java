package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The backbone of a graph, as PyTorch's exporter writes it. */
class OnnxDinov2Test {
    private static final int HIDDEN = 16;

    @TempDir
    Path folder;

    /** The fixture with its matrices transposed and numbered, its positions folded, and a decoder behind it. */
    private static OnnxFile onnx() {
        OnnxFile onnx = new OnnxFile();
        int number = 2000;
        try (TensorSource source = Safetensors.open(Fixtures.folder("dinov2").resolve("model.safetensors"))) {
            for (String stored : source.names()) {
                TensorData tensor = source.tensor(stored);
                String name = stored.replaceFirst("^dinov2\\.", "");
                boolean matrix = name.endsWith(".weight") && tensor.info().rank() == 2;
                if (name.startsWith("classifier") || name.endsWith("mask_token")) {
                    continue;
                } else if (name.endsWith("position_embeddings")) {
                    float[] all = tensor.floats();
                    onnx.initialisers.put(
                            "onnx::Concat_7", TensorData.of("p", Arrays.copyOf(all, HIDDEN), 1, 1, HIDDEN));
                    float[] grid = Arrays.copyOfRange(all, HIDDEN, all.length);
                    onnx.initialisers.put("onnx::Reshape_9", TensorData.of("p", grid, 1, grid.length / HIDDEN, HIDDEN));
                    continue;
                } else if (!matrix) {
                    onnx.initialisers.put("backbone." + name, tensor);
                    continue;
                }
                String module = "backbone." + name.replaceFirst("\\.weight$", "");
                String path = "/" + module.replace('.', '/').replaceAll("/(\\d+)/", ".$1/");
                String numbered = "onnx::MatMul_" + (number -= 7);
                onnx.initialisers.put(numbered, OnnxBertTest.transposed(tensor));
                onnx.node(path + "/MatMul", "MatMul", path + "/p", "x", numbered);
                onnx.node(path + "/Add", "Add", path + "/out", module + ".bias", path + "/p");
            }
        }
        String attention = "/backbone/encoder/layer.0/attention/attention/";
        onnx.constant("heads", OnnxFile.longs(4));
        onnx.constant("size", OnnxFile.longs(HIDDEN / 4));
        onnx.node(attention + "Concat", "Concat", "shape", "batch", "seq", "heads", "size");
        onnx.initialisers.put("decoder.conv.weight", TensorData.of("d", new float[4], 1, 1, 2, 2));
        return onnx;
    }

    private Path write(OnnxFile onnx) throws IOException {
        onnx.write(folder.resolve("model.onnx"));
        return folder;
    }

    @Test
    void givesWhatTheFolderGives() throws IOException {
        Base graph = Base.load(write(onnx()));
        Base expected = Base.load(Fixtures.folder("dinov2"), Base.Options.of(Task.FEATURE_EXTRACTION));
        Tensor pixels = Rng.of(3, "images").normal(0, 1, 2, 3, 12, 20);

        assertThat(graph.unusedTensors()).isEmpty();
        assertThat(graph.config().integer("image_size")).isEqualTo(16);
        assertThat(Tensors.floats(graph.forward(Inputs.images(pixels), ForwardPass.inference(Hooks.NONE))
                        .last()))
                .isEqualTo(Tensors.floats(expected.forward(Inputs.images(pixels), ForwardPass.inference(Hooks.NONE))
                        .last()));
        assertThat(graph.imageProcessor().size(300, 500).height()).isEqualTo(224);
    }

    @Test
    void graphsThatDontSayEnoughAreRefused() throws IOException {
        OnnxFile headless = onnx();
        headless.nodes.removeIf(node -> node.type().equals("Concat"));
        assertThatThrownBy(() -> PretrainedCheckpoints.open(write(headless)))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("how many heads");

        OnnxFile placeless = onnx();
        placeless.initialisers.remove("onnx::Reshape_9");
        assertThatThrownBy(() -> PretrainedCheckpoints.open(write(placeless)))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("0 initialisers that may be the positions of the patches");

        OnnxFile oblong = onnx();
        oblong.initialisers.put("onnx::Reshape_9", TensorData.of("p", new float[15 * HIDDEN], 1, 15, HIDDEN));
        assertThatThrownBy(() -> PretrainedCheckpoints.open(write(oblong)))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("has 15 positions of patches");
    }
}
