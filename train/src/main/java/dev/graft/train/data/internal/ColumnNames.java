package dev.graft.train.data.internal;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Names of columns for the parts of a row. */
final class ColumnNames {
    /** Names that other tools and data sets use for the same thing, tried where the exact key is missing. */
    static final Map<String, List<String>> ACCEPTED = Map.ofEntries(
            Map.entry("text", List.of("sentence", "sentence1", "premise")),
            Map.entry("text_pair", List.of("sentence2", "hypothesis")),
            Map.entry("label", List.of("labels", "kto_tag")),
            Map.entry("anchor", List.of("query")),
            Map.entry("audio", List.of("audio_filepath")),
            Map.entry("prompt", List.of("input", "source")),
            Map.entry("completion", List.of("target")),
            Map.entry("image", List.of("image_path")),
            Map.entry("messages", List.of("conversations", "conversation")),
            Map.entry("tokens", List.of("words")),
            Map.entry("tags", List.of("ner_tags", "pos_tags", "chunk_tags", "labels")),
            Map.entry("stem", List.of("sent1", "premise", "article", "context", "ctx", "prompt", "question")),
            Map.entry("start", List.of("sent2")),
            Map.entry("choices", List.of("endings", "options")),
            Map.entry("correct", List.of("label", "answer", "answerKey")));

    private ColumnNames() {}

    /** Returns the key of a row that plays a part; null if none does. */
    static @Nullable String find(Iterable<String> keys, String part) {
        Set<String> present = new LinkedHashSet<>();
        keys.forEach(present::add);
        if (present.contains(part)) {
            return part;
        }
        String accepted = ACCEPTED.getOrDefault(part, List.of()).stream()
                .filter(present::contains)
                .findFirst()
                .orElse(null);
        return accepted == null && part.equals("choices") ? ChoiceReader.firstColumn(present) : accepted;
    }
}
