package dev.graft.eval.suites;

import dev.graft.eval.suites.TextGenerationTask.TextPair;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.files.Dataset;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/** Data-to-text benchmarks. {@link WebNlg} is another. */
enum DataToText implements TextGenerationTask.PairSource {
    /**
     * Restaurants (Novikova et al., 2017): tables of a meaning and a reference; rows of one meaning are consecutive.
     */
    E2E(Map.of("train", "trainset.csv", "validation", "devset.csv", "test", "testset_w_refs.csv")) {
        @Override
        public List<TextPair> read(Path folder, String part) {
            Map<String, List<String>> references = new LinkedHashMap<>();
            DataOptions columns =
                    DataOptions.of(RowShape.PROMPT_COMPLETION, Map.of("prompt", "mr", "completion", "ref"));
            try (Dataset rows = Dataset.open(file(folder, part), columns)) {
                for (int i = 0; i < rows.size(); i++) {
                    Row.Completion row = (Row.Completion) rows.get(i);
                    references
                            .computeIfAbsent(row.prompt(), meaning -> new ArrayList<>())
                            .add(row.completion());
                }
            }
            return references.entrySet().stream()
                    .map(each -> new TextPair(asked(each.getKey()), each.getValue(), ""))
                    .toList();
        }
    },
    /** Triples of open domains (Nan et al., 2021), version 1.1.1. */
    DART(Map.of(
            "train",
            "dart-v1.1.1-full-train.json",
            "validation",
            "dart-v1.1.1-full-dev.json",
            "test",
            "dart-v1.1.1-full-test.json")) {
        @Override
        public List<TextPair> read(Path folder, String part) {
            Path file = file(folder, part);
            List<TextPair> pairs = new ArrayList<>();
            int number = 0;
            for (JsonNode node : Json.read(file)) {
                Fields entry = Fields.of(file + ": [" + number++ + "]", node);
                List<String> triples = new ArrayList<>();
                for (JsonNode triple : entry.list("tripleset")) {
                    if (triple.size() != 3 || !triple.isArray()) {
                        throw new FormatException(
                                entry.source(), "has a triple of " + triple.size() + " parts, expected 3", null);
                    }
                    triples.add(triple.valueStream().map(JsonNode::asString).collect(Collectors.joining(" : ")));
                }
                List<String> texts = entry.list("annotations").stream()
                        .map(each -> Fields.of(entry.source(), each).string("text"))
                        .toList();
                if (triples.isEmpty() || texts.isEmpty()) {
                    throw new FormatException(entry.source(), "has no triple, or no text that says it", null);
                }
                pairs.add(new TextPair(asked(String.join(" | ", triples)), texts, ""));
            }
            return pairs;
        }
    };

    private final Map<String, String> names;

    DataToText(Map<String, String> names) {
        this.names = names;
    }

    @Override
    public Path file(Path folder, String part) {
        return folder.resolve(Objects.requireNonNull(names.get(part)));
    }

    static String asked(String data) {
        return data + "\nText:";
    }
}
