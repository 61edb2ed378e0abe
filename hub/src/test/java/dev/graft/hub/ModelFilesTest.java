package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFilesTest {
    @TempDir
    Path root;

    Path put(String name) throws IOException {
        return put(name, "{}");
    }

    Path put(String name, String content) throws IOException {
        Files.createDirectories(root.resolve(name).getParent());
        return Files.writeString(root.resolve(name), content);
    }

    @Test
    void folderSomewhereInsideAPackageIsFound() throws IOException {
        put("pkg/model/config.json");
        put("pkg/model/1_Pooling/config.json");
        put("pkg/model/model.safetensors");
        put("pkg/model/tokenizer.json");
        put("pkg.dist-info/METADATA");

        var found = (ModelFiles.HuggingFaceFolder) ModelFiles.find(root);

        assertThat(found.config()).isEqualTo(root.resolve("pkg/model/config.json"));
        assertThat(found.weights()).containsExactly(root.resolve("pkg/model/model.safetensors"));
        assertThat(found.tokenizer()).isEqualTo(root.resolve("pkg/model/tokenizer.json"));
        assertThat(found.file("chat_template.jinja")).isEmpty();
    }

    @Test
    void aFolderMayBeReachedByALink() throws IOException {
        put("real/config.json");
        put("real/model.safetensors");
        Path link = Files.createSymbolicLink(root.resolve("link"), root.resolve("real"));

        assertThat(ModelFiles.find(link).weights()).containsExactly(link.resolve("model.safetensors"));
    }

    @Test
    void otherFormsBelowAHuggingFaceFolderDoNotCount() throws IOException {
        put("config.json");
        put("model.safetensors");
        put("onnx/model.onnx");

        assertThat(ModelFiles.find(root)).isInstanceOf(ModelFiles.HuggingFaceFolder.class);
    }

    @Test
    void shardsComeSortedFromTheIndexAndOthersAreLeftOut() throws IOException {
        put("config.json");
        put("b.safetensors");
        put("a.safetensors");
        put("other.safetensors");
        put(
                "model.safetensors.index.json",
                "{\"weight_map\":{\"x\":\"b.safetensors\",\"y\":\"a.safetensors\",\"z\":\"b.safetensors\"}}");

        assertThat(ModelFiles.find(root).weights())
                .containsExactly(root.resolve("a.safetensors"), root.resolve("b.safetensors"));
    }

    @Test
    void shardThatIsMissingOrElsewhereIsRefused() throws IOException {
        put("config.json");
        put("a.safetensors");
        put("model.safetensors.index.json", "{\"weight_map\":{\"x\":\"c.safetensors\"}}");
        assertThatThrownBy(() -> ModelFiles.find(root))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("shard c.safetensors");

        put("model.safetensors.index.json", "{\"weight_map\":{\"x\":\"../c.safetensors\"}}");
        assertThatThrownBy(() -> ModelFiles.find(root))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("tensor x")
                .hasMessageContaining("../c.safetensors");
    }

    @Test
    void ggufAndOnnxAreFoundWithTheirTokenizers() throws IOException {
        Path gguf = put("a/pkg/model.Q4_1.gguf");
        assertThat(ModelFiles.find(root.resolve("a"))).isEqualTo(new ModelFiles.Gguf(gguf));

        Path onnx = put("b/minilm.onnx");
        Path tokenizer = put("b/minilm-tokenizer.json");
        assertThat(ModelFiles.find(root.resolve("b"))).isEqualTo(new ModelFiles.Onnx(onnx, tokenizer));
        assertThat(ModelFiles.find(onnx)).isEqualTo(new ModelFiles.Onnx(onnx, tokenizer));

        Path above = put("c/onnx/model.onnx");
        Path plain = put("c/tokenizer.json");
        assertThat(ModelFiles.find(root.resolve("c"))).isEqualTo(new ModelFiles.Onnx(above, plain));
        assertThat(ModelFiles.find(put("d/model.onnx")).tokenizer()).isNull();
    }

    @Test
    void severalModelsAreRefusedByNameAndOneFileOfThemIsAccepted() throws IOException {
        put("x.Q4_0.gguf");
        put("y.Q8_0.gguf");
        assertThatThrownBy(() -> ModelFiles.find(root))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("x.Q4_0.gguf, y.Q8_0.gguf")
                .hasMessageContaining("name one");
        assertThat(ModelFiles.find(root.resolve("y.Q8_0.gguf")).weights()).containsExactly(root.resolve("y.Q8_0.gguf"));
    }

    @Test
    void safetensorsAndGgufSideBySideAreDecidedByNamingTheConfig() throws IOException {
        put("config.json");
        put("model.safetensors");
        put("model.gguf");
        assertThatThrownBy(() -> ModelFiles.find(root)).hasMessageContaining("config.json, model.gguf");
        assertThat(ModelFiles.find(root.resolve("config.json")).weights())
                .isEqualTo(List.of(root.resolve("model.safetensors")));
    }

    @Test
    void unnamedSafetensorsMustBeOne() throws IOException {
        put("config.json");
        put("a.safetensors");
        assertThat(ModelFiles.find(root).weights()).containsExactly(root.resolve("a.safetensors"));
        put("b.safetensors");
        assertThatThrownBy(() -> ModelFiles.find(root)).hasMessageContaining("found a.safetensors, b.safetensors");
        assertThat(ModelFiles.find(root.resolve("b.safetensors")).weights())
                .containsExactly(root.resolve("b.safetensors"));
    }

    @Test
    void absenceSaysWhatIsThere() throws IOException {
        assertThatThrownBy(() -> ModelFiles.find(root.resolve("none"))).hasMessageContaining("no such file or folder");
        assertThatThrownBy(() -> ModelFiles.find(root)).hasMessageContaining("holds no model");
        put("config.json");
        assertThatThrownBy(() -> ModelFiles.find(root)).hasMessageContaining("the weights are missing");
        put("pytorch_model.bin");
        assertThatThrownBy(() -> ModelFiles.find(root)).hasMessageContaining("only as pickle (pytorch_model.bin)");
        put("adapter_config.json");
        put("adapter_model.safetensors");
        assertThatThrownBy(() -> ModelFiles.find(root)).hasMessageContaining("holds an adapter");
        assertThatThrownBy(() -> ModelFiles.find(put("notes.txt"))).hasMessageContaining("not a model");
    }
}
