package dev.graft.models.tokenizers;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.formats.SentencePiece;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The files of a tokenizer. */
final class TokenizerFiles {

    /** The names of tokenizer files. The first one that exists is used; the last four are SentencePiece's. */
    private static final List<String> NAMES = List.of(
            "tokenizer.json", "vocab.txt", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "spm.model");

    private TokenizerFiles() {}

    static Tokenizer folder(Path folder) {
        for (String name : NAMES) {
            if (Files.isRegularFile(folder.resolve(name))) {
                return file(folder.resolve(name));
            }
        }
        throw new FormatException(
                folder,
                "has no tokenizer: expected tokenizer.json, vocab.txt of a BERT model or tokenizer.model of"
                        + " SentencePiece, among "
                        + names(folder));
    }

    private static List<String> names(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .sorted()
                    .limit(20)
                    .toList();
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + folder, e);
        }
    }

    static Tokenizer file(Path file) {
        ObjectNode config = configBeside(file);
        String source = file.toString();
        if (source.endsWith(".model")) {
            return tokenizer(source, SentencePieceVocabulary.read(source, SentencePiece.read(file), config), config);
        } else if (source.endsWith(".txt")) {
            return tokenizer(source, WordPieceVocabulary.read(file, config), config);
        }
        return tokenizer(source, Json.read(file), config);
    }

    static Tokenizer tokenizer(String source, JsonNode tokenizer, JsonNode config) {
        return new NativeTokenizer(TokenizerDefinition.of(source, tokenizer, config));
    }

    /** Reads {@code tokenizer_config.json}, with the fields that only {@code special_tokens_map.json} has. */
    private static ObjectNode configBeside(Path tokenizer) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        for (String name : List.of("special_tokens_map.json", "tokenizer_config.json")) {
            Path file = tokenizer.resolveSibling(name);
            if (Files.isRegularFile(file)) {
                JsonNode read = Json.read(file);
                if (!read.isObject()) {
                    throw new FormatException(file, "expected an object");
                }
                for (Map.Entry<String, JsonNode> field : read.properties()) {
                    config.set(field.getKey(), field.getValue());
                }
            }
        }
        return config;
    }
}
