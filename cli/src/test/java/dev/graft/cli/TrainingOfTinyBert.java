package dev.graft.cli;

import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Runs of {@code graft train} on a tiny BERT and rows that it can learn. */
abstract class TrainingOfTinyBert {
    static final String TINY_BERT = "file:" + Cli.base("bert-base");

    @TempDir
    Path folder;

    Path data;
    Path out;

    @BeforeEach
    void rows() throws IOException {
        data = Files.writeString(folder.resolve("rows.jsonl"), classes(96));
        out = folder.resolve("out");
    }

    /** The label is the word that the text repeats, which even a tiny model can learn. */
    static String classes(int count) {
        String[] words = {"cat", "dog", "red"};
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < count; i++) {
            String word = words[i % 3];
            rows.append("{\"text\": \"")
                    .append((word + " ").repeat(2 + i / 3 % 4))
                    .append(i % 7);
            rows.append("\", \"label\": \"").append(word).append("\"}\n");
        }
        return rows.toString();
    }

    Cli train(Object... more) {
        List<Object> words = new ArrayList<>(List.of(
                "train",
                "--model",
                TINY_BERT,
                "--data",
                data,
                "--method",
                "lora",
                "--dtype",
                "fp32",
                "--output-dir",
                out));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    JsonNode report() {
        return Json.read(out.resolve("report.json"));
    }

    static void writeText(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
