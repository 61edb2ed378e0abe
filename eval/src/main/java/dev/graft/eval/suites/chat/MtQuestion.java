package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.OfficialLines;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A question of MT-Bench (Zheng et al., 2023), {@code question.jsonl}.
 *
 * @param turns the user's messages of both turns
 * @param references a reference answer to each turn; empty if there are none
 */
public record MtQuestion(int id, String category, List<String> turns, List<String> references) {
    /** Whose answers are judged beside a reference. */
    private static final Set<String> REFERENCE_CATEGORIES = Set.of("math", "reasoning", "coding", "arena-hard-200");

    private static final Map<String, Double> TEMPERATURES =
            Map.of("writing", 0.7, "roleplay", 0.7, "stem", 0.1, "humanities", 0.1);

    public MtQuestion {
        turns = List.copyOf(turns);
        references = List.copyOf(references);
    }

    /** Returns whether a judge sees references. */
    boolean usesReference() {
        return REFERENCE_CATEGORIES.contains(category) && references.size() == turns.size();
    }

    /** Returns the temperature of the answers, as the benchmark has it. */
    double temperature() {
        return TEMPERATURES.getOrDefault(category, 0.0);
    }

    /**
     * Reads the questions of a folder, with the references of {@code reference_answer/gpt-4.jsonl} if that file exists.
     *
     * @throws FormatException naming the line that isn't in the official format
     */
    public static List<MtQuestion> read(Path folder) {
        Path file = folder.resolve("question.jsonl");
        Path answers = folder.resolve("reference_answer/gpt-4.jsonl");
        Map<Integer, List<String>> references = Files.exists(answers) ? answers(answers) : Map.of();
        Map<Integer, MtQuestion> questions = new LinkedHashMap<>();
        OfficialLines.json(file, (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            int id = fields.integer("question_id");
            List<String> turns = fields.strings("turns");
            if (turns.size() != 2) {
                throw new FormatException(place, "has " + turns.size() + " turns, expected 2", null);
            }
            List<String> own = fields.strings("reference", List.of());
            MtQuestion question = new MtQuestion(
                    id, fields.string("category"), turns, own.isEmpty() ? references.getOrDefault(id, List.of()) : own);
            if (questions.put(id, question) != null) {
                throw new FormatException(place, "has the question_id " + id + ", which another line has too", null);
            }
        });
        return List.copyOf(questions.values());
    }

    /**
     * Reads the answers by question id from a file in the format of {@code model_answer/MODEL.jsonl}.
     *
     * @throws FormatException naming the line that isn't in the official format
     */
    public static Map<Integer, List<String>> answers(Path file) {
        Map<Integer, List<String>> answers = new LinkedHashMap<>();
        OfficialLines.json(file, (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            List<JsonNode> choices = fields.list("choices");
            if (choices.isEmpty()) {
                throw new FormatException(
                        place, "has no choices, expected one with the turns that were answered", null);
            }
            answers.put(
                    fields.integer("question_id"),
                    Fields.of(place, choices.get(0)).strings("turns"));
        });
        return answers;
    }

    /** Returns answers in the format of {@code model_answer/MODEL.jsonl}. */
    public static String written(Map<Integer, List<String>> answers, String model) {
        List<String> lines = new ArrayList<>();
        answers.forEach((id, turns) -> {
            ObjectNode line = JsonNodeFactory.instance.objectNode();
            line.put("question_id", id).put("model_id", model);
            ArrayNode said =
                    line.putArray("choices").addObject().put("index", 0).putArray("turns");
            turns.forEach(said::add);
            lines.add(Json.compact(line) + "\n");
        });
        return String.join("", lines);
    }
}
