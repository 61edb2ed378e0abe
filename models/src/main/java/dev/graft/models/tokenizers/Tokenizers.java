package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.internal.TokenizerFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.node.JsonNodeFactory;

/** Loads tokenizers. */
public final class Tokenizers {

    private Tokenizers() {}

    /**
     * Loads from a folder ({@code tokenizer.json}, else {@code vocab.txt}; with {@code tokenizer_config.json} and
     * {@code special_tokens_map.json} where they are) or from one of these files.
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
        return TokenizerFiles.file(folderOrFile);
    }

    /**
     * Makes a tokenizer from the text of a {@code tokenizer.json} that has no config beside it, such as one in a jar. Its special tokens
     * are those that BERT, RoBERTa and GPT-2 files have by convention.
     *
     * @param source what messages call it
     * @throws InputException when it is not a tokenizer, or contradicts itself
     */
    public static Tokenizer parse(String source, String tokenizerJson) {
        return TokenizerFiles.tokenizer(source, Json.parse(source, tokenizerJson), JsonNodeFactory.instance.objectNode());
    }
}
