package dev.graft.hub;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The files of a repository that a model or an adapter needs. Configuration, tokenizer and chat template come first, then the weights, so a
 * snapshot with complete weights has everything else. Pickles are never included.
 *
 * @param companions everything but the weights
 * @param weights safetensors or one GGUF; empty where {@link SafetensorsIndex} among the companions names them
 */
record WantedFiles(List<String> companions, List<String> weights) {
    private static final Set<String> COMPANIONS = Set.of(
            "config.json",
            "generation_config.json",
            "adapter_config.json",
            "head_config.json",
            "graft.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "vocab.txt",
            "merges.txt",
            "tokenizer.model",
            "spiece.model",
            "sentencepiece.bpe.model",
            "chat_template.json",
            "chat_template.jinja",
            "preprocessor_config.json",
            "modules.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
            "1_Pooling/config.json",
            SafetensorsIndex.NAME);
    private static final Pattern CHAT_TEMPLATE = Pattern.compile("additional_chat_templates/[^/]+\\.jinja");
    private static final Pattern PICKLE = Pattern.compile(".*\\.(bin|pt|pth|ckpt|pkl)");

    /** Selects from the names of all files of {@code repository}. */
    static WantedFiles of(String repository, List<String> names) {
        List<String> companions = names.stream()
                .filter(name ->
                        COMPANIONS.contains(name) || CHAT_TEMPLATE.matcher(name).matches())
                .sorted()
                .toList();
        List<String> safetensors = names.stream()
                .filter(name -> name.endsWith(".safetensors") && !name.contains("/"))
                .sorted()
                .toList();
        if (safetensors.isEmpty()) {
            return new WantedFiles(companions, List.of(gguf(repository, names)));
        }
        Stream<String> adapters = safetensors.stream().filter(name -> name.startsWith("adapter"));
        if (names.contains(SafetensorsIndex.NAME)) {
            return new WantedFiles(companions, adapters.toList());
        } else if (safetensors.contains("model.safetensors")) {
            return new WantedFiles(
                    companions,
                    Stream.concat(adapters, Stream.of("model.safetensors")).toList());
        }
        return new WantedFiles(companions, safetensors);
    }

    private static String gguf(String repository, List<String> names) {
        List<String> gguf =
                names.stream().filter(name -> name.endsWith(".gguf")).sorted().toList();
        if (gguf.size() == 1) {
            return gguf.get(0);
        }
        List<String> pickles = names.stream()
                .filter(name -> PICKLE.matcher(name).matches())
                .sorted()
                .toList();
        String why;
        if (gguf.size() > 1) {
            why = "holds " + gguf.size() + " GGUF files and no safetensors (" + String.join(", ", gguf)
                    + "): download the one you want and give it as file:PATH";
        } else if (!pickles.isEmpty()) {
            why = "holds weights only as pickle (" + String.join(", ", pickles)
                    + "), which can run code when read and is never fetched; look for a revision or a copy with"
                    + " safetensors";
        } else {
            why = "holds no weights: expected *.safetensors or one *.gguf, found "
                    + (names.isEmpty() ? "no files" : String.join(", ", names));
        }
        throw new InputException("hf:" + repository + ": " + why);
    }
}
