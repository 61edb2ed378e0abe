package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A pretrained model as files: its configuration and its tensors by their Hugging Face names, whatever container they came in.
 *
 * @param config the fields of config.json
 * @param tensors the weights
 * @param tokenizer the folder or file that the tokenizer is read from
 */
public record Checkpoint(Fields config, TensorSource tensors, Path tokenizer) {
    private static final List<String> TOKENIZER_FILES = List.of(
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.txt",
            "vocab.json",
            "merges.txt",
            "tokenizer.model",
            "chat_template.jinja");

    /** Copies the tokenizer's files, where the checkpoint has them, into a folder. */
    void copyTokenizer(Path folder) throws IOException {
        if (Files.isDirectory(tokenizer)) {
            for (String file : TOKENIZER_FILES) {
                if (Files.exists(tokenizer.resolve(file))) {
                    Files.copy(tokenizer.resolve(file), folder.resolve(file));
                }
            }
        }
    }
}
