package dev.graft.models.checkpoints;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.hub.ModelFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The initialisers of an ONNX graph of BERT under their Hugging Face names. Matrices of products are stored as
 * {@code [in, out]} and exposed as {@code [out, in]}. Those of int8 exports are exposed as F32.
 */
final class OnnxBert extends OnnxTensors {
    private static final String WORDS = "embeddings.word_embeddings.weight";

    private OnnxBert(Onnx file, Map<String, OnnxMatrix> stored) {
        super("BERT", file, stored);
    }

    /** Opens a graph. The configuration is the config.json next to it, or is derived from the graph if there is none. */
    static PretrainedCheckpoint open(ModelFiles.Onnx files) {
        Path path = files.model();
        Onnx file = Onnx.open(path);
        try {
            OnnxBert tensors = new OnnxBert(file, map(file));
            Path config = path.resolveSibling("config.json");
            return new PretrainedCheckpoint(
                    Files.isRegularFile(config)
                            ? Fields.read(config)
                            : PretrainedCheckpoint.fields(path, new OnnxBertConfig(file, tensors).read()),
                    tensors,
                    Objects.requireNonNullElse(files.tokenizer(), path.resolveSibling("tokenizer.json")));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private static Map<String, OnnxMatrix> map(Onnx file) {
        String prefix = prefix(file);
        OnnxLinears linears = new OnnxLinears(file, name -> true);
        Map<String, OnnxMatrix> stored = new LinkedHashMap<>();
        for (String initialiser : file.names()) {
            boolean quantized = initialiser.endsWith(OnnxMatrix.QUANTIZED);
            if (isQuantisation(file, initialiser) || initialiser.endsWith("embeddings.position_ids")) {
                continue;
            }
            String plain = quantized
                    ? initialiser.substring(0, initialiser.length() - OnnxMatrix.QUANTIZED.length())
                    : initialiser;
            String weight = linears.weight(initialiser);
            String name = weight == null ? plain : weight;
            if (!name.endsWith(".weight") && !name.endsWith(".bias")) {
                if (file.info(initialiser).rank() > 1) {
                    throw new FormatException(
                            file.path(),
                            "no layer's name was found for the initialiser " + file.info(initialiser)
                                    + ": it is not multiplied with and followed by the addition of a named bias");
                }
                continue;
            }
            String bare = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
            if (stored.put(bare, new OnnxMatrix(file, plain, weight != null, quantized)) != null) {
                throw new FormatException(file.path(), "two initialisers are " + bare);
            }
        }
        return stored;
    }

    /** Returns the prefix of an exporter before all names, such as {@code model.0.auto_model.}. */
    private static String prefix(Onnx file) {
        for (String name : file.names()) {
            for (String ending : new String[] {WORDS, WORDS + OnnxMatrix.QUANTIZED}) {
                if (name.endsWith(ending)) {
                    return name.substring(0, name.length() - ending.length());
                }
            }
        }
        throw new FormatException(
                file.path(),
                "has no initialiser " + WORDS + ": of ONNX graphs only exported BERT models with named weights are"
                        + " supported");
    }

    private static boolean isQuantisation(Onnx file, String name) {
        for (String ending : new String[] {"_scale", "_zero_point"}) {
            if (name.endsWith(ending)
                    && file.names()
                            .contains(name.substring(0, name.length() - ending.length()) + OnnxMatrix.QUANTIZED)) {
                return true;
            }
        }
        return false;
    }
}
