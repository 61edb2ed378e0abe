package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.OfficialLines;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Human judgements from a JSONL file: {@code {"question_id": 81, "turn": 1, "score": 7}} for an answer, {@code {"question_id": 81, "turn":
 * 1, "winner": "model"}} for a pair. The winner may also be {@code other} or {@code tie}.
 */
public final class FileJudge implements Judge {
    private static final double MOST = 10;

    private final Path file;
    private final Map<String, Double> ratings = new HashMap<>();
    private final Map<String, Winner> winners = new HashMap<>();

    /** @throws FormatException naming the line that is none of these */
    public FileJudge(Path file) {
        this.file = file;
        OfficialLines.json(file, (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            String key = key(fields.integer("question_id"), fields.integer("turn", 1, 1, 2) - 1);
            if (fields.has("score") == fields.has("winner")) {
                throw new FormatException(place, "has neither a score nor a winner, or both; expected one", null);
            }
            Object before = fields.has("score")
                    ? ratings.put(key, fields.number("score", 1, 1, MOST))
                    : winners.put(
                            key,
                            switch (fields.choice("winner", "tie", "model", "other", "tie")) {
                                case "model" -> Winner.FIRST;
                                case "other" -> Winner.SECOND;
                                default -> Winner.TIE;
                            });
            if (before != null) {
                throw new FormatException(place, "judges what another line judges, too", null);
            }
        });
    }

    private static String key(int id, int turn) {
        return id + "/" + turn;
    }

    @Override
    public String name() {
        return "people: " + file;
    }

    @Override
    public Judgement<Double> rate(MtQuestion question, int turn, List<String> answers) {
        return new Judgement<>(ratings.get(key(question.id(), turn)), false);
    }

    @Override
    public Judgement<Winner> compare(
            MtQuestion question, int turn, List<String> first, List<String> second, boolean swapped) {
        Winner winner = winners.get(key(question.id(), turn));
        return new Judgement<>(winner == null || !swapped ? winner : winner.swapped(), false);
    }
}
