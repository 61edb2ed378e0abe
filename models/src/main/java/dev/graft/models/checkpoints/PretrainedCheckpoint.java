package dev.graft.models.checkpoints;

import dev.graft.formats.E5s1;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Gguf;
import dev.graft.formats.Json;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.audio.LogMel;
import dev.graft.models.heads.SentencePooling;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.TokenizerJson;
import dev.graft.models.tokenizers.Tokenizers;
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
 * A pretrained model as files: its configuration and its tensors by their Hugging Face names, for any file format.
 *
 * <pre>{@code
 * PretrainedCheckpoint checkpoint = PretrainedCheckpoints.open(new Hub().fetch("smollm2"));
 * checkpoint.tensors().info("model.embed_tokens.weight");  // F32 [49152, 576]
 * }</pre>
 *
 * @param config the fields of config.json
 * @param tensors the weights
 * @param tokenizer the folder or file of the tokenizer
 */
public record PretrainedCheckpoint(Fields config, TensorSource tensors, Path tokenizer) {
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
            "modules.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
            "1_Pooling/config.json",
            PREPROCESSOR);

    /** Reads the tokenizer that came with the model. */
    public Tokenizer readTokenizer() {
        return Tokenizers.load(tokenizer);
    }

    /**
     * Reads the processor of the model's pictures.
     *
     * @throws FormatException if there is no preprocessor_config.json
     */
    public ImageProcessor readImageProcessor() {
        Path file = file(PREPROCESSOR);
        ImageProcessor known = tensors instanceof ConvertedTensors converted ? converted.imageProcessor() : null;
        if (!Files.isRegularFile(file) && known != null) {
            return known;
        }
        if (!Files.isRegularFile(file)) {
            throw new FormatException(
                    file,
                    "is missing: it says in which size and how scaled the model takes pictures; take it from where the"
                            + " model comes from");
        }
        return ImageProcessor.read(file);
    }

    /** Reads the reduction of a text's hidden states to one vector, which a model of sentence-transformers configures. */
    public SentencePooling readSentencePooling() {
        return SentencePooling.read(Files.isDirectory(tokenizer) ? tokenizer : tokenizer.resolveSibling(""));
    }

    /** Reads the spectrogram settings of an audio model, with that number of bands. */
    public LogMel readLogMel(int bands) {
        return LogMel.read(file(PREPROCESSOR), bands);
    }

    /** Returns the tokens that end a text, by config.json and, if it exists, generation_config.json. */
    public Set<Integer> endTokens() {
        Set<Integer> ids = new TreeSet<>();
        generationConfigs().forEach(fields -> addEndTokens(fields, ids));
        return ids;
    }

    /** Returns the token that an encoder-decoder's answer starts with. */
    public int decoderStartToken() {
        for (Fields file : generationConfigs()) {
            Integer start = file.integerOrNull("decoder_start_token_id");
            if (start != null) {
                return start;
            }
        }
        throw config.invalid("decoder_start_token_id", "the id of the token that starts an answer");
    }

    /** Returns a file next to that of the tokenizer, which may not exist. */
    private Path file(String name) {
        return Files.isDirectory(tokenizer) ? tokenizer.resolve(name) : tokenizer.resolveSibling(name);
    }

    /**
     * Returns the fields of generation_config.json, if it exists, then those of config.json and of its part for texts.
     */
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
                throw fields.invalid("eos_token_id", "a token id or an array of token ids");
            }
            ids.add(id.intValue());
        }
    }

    /**
     * Writes the files of the tokenizer, of the picture processor and of sentence-transformers in the format of Hugging
     * Face libraries, if the model has any.
     */
    public void writeTokenizer(Path folder) throws IOException {
        if (Files.isDirectory(tokenizer)) {
            for (String file : TOKENIZER_FILES) {
                if (Files.exists(tokenizer.resolve(file))) {
                    Path copy = folder.resolve(file);
                    Files.createDirectories(copy.getParent());
                    Files.copy(tokenizer.resolve(file), copy);
                }
            }
        } else if (tokenizer.toString().endsWith(".gguf")) {
            writeFromGguf(folder);
        } else if (Files.exists(tokenizer) && E5s1.is(tokenizer)) {
            try (E5s1 file = E5s1.open(tokenizer)) {
                write(folder, Tokenizers.json(file));
            }
        } else if (Files.exists(tokenizer)) {
            Files.copy(tokenizer, folder.resolve("tokenizer.json"));
            writeRoles(folder);
        }
    }

    private void writeFromGguf(Path folder) throws IOException {
        try (Gguf gguf = Gguf.open(tokenizer)) {
            TokenizerJson files = Tokenizers.json(gguf);
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

    /** Writes the roles of tokens, which a tokenizer.json alone does not contain. */
    private void writeRoles(Path folder) throws IOException {
        Tokenizer read = readTokenizer();
        ObjectNode roles = JsonNodeFactory.instance.objectNode();
        for (SpecialTokens.TokenRole role : SpecialTokens.TokenRole.values()) {
            read.specialTokens().get(role).ifPresent(token -> roles.put(role.key(), token.content()));
        }
        roles.put("tokenizer_class", "PreTrainedTokenizerFast");
        roles.put("model_max_length", read.modelMaxLength().orElseGet(() -> config.integer("max_position_embeddings")));
        write(folder.resolve("tokenizer_config.json"), roles);
    }

    private static void write(Path file, JsonNode content) throws IOException {
        Files.writeString(file, Json.pretty(content) + "\n");
    }

    /**
     * Creates fields from those of another format. Numbers have the types that a file would have: whole ones are ints
     * if they fit.
     */
    static Fields fields(Path file, ObjectNode config) {
        return Fields.of(file.toString(), Json.parse(file.toString(), Json.compact(config)));
    }

    /** Returns the shape of a tensor that must be a matrix. */
    static long[] matrix(TensorSource tensors, String name) {
        TensorInfo info = tensors.info(name);
        if (info.rank() != 2) {
            throw new FormatException(tensors.path(), info + ": expected a matrix");
        }
        return info.shape();
    }
}
