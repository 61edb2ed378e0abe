package dev.graft.train.data.sets;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Writes rows as JSONL files. */
public final class JsonlWriter {
    private JsonlWriter() {}

    /** Writes {@code train.jsonl} and, if there are such rows, {@code validation.jsonl} and {@code test.jsonl}. */
    public static void write(Splits splits, Path folder) {
        write(splits.train(), folder.resolve("train.jsonl"));
        write(splits.validation(), folder.resolve("validation.jsonl"));
        write(splits.test(), folder.resolve("test.jsonl"));
    }

    private static void write(@Nullable Rows rows, Path file) {
        if (rows != null) {
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < rows.size(); i++) {
                text.append(Json.compact(json(rows.get(i)))).append('\n');
            }
            AtomicWrite.text(file, text.toString());
        }
    }

    /**
     * Converts a row to the object from which it would be read; a picture is named by its file.
     *
     * @throws IllegalArgumentException for rows of tokens, choices, preferences and judgements
     */
    public static ObjectNode json(Row row) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        if (row instanceof Row.Text text) {
            json.put("text", text.text());
            if (text.pair() != null) {
                json.put("text_pair", text.pair());
            }
            label(json, text.label());
        } else if (row instanceof Row.Completion completion) {
            json.put("prompt", completion.prompt()).put("completion", completion.completion());
        } else if (row instanceof Row.TextPair pair) {
            json.put("anchor", pair.anchor()).put("positive", pair.positive());
            if (pair.negative() != null) {
                json.put("negative", pair.negative());
            }
        } else if (row instanceof Row.ScoredPair pair) {
            json.put("text", pair.text()).put("text_pair", pair.pair()).put("score", pair.score());
        } else if (row instanceof Row.Words words) {
            ArrayNode tokens = json.putArray("tokens");
            words.words().forEach(tokens::add);
            if (words.label() != null) {
                ArrayNode tags = json.putArray("tags");
                words.label().names().forEach(tags::add);
            }
        } else if (row instanceof Row.Chat chat) {
            ArrayNode messages = json.putArray("messages");
            chat.messages()
                    .forEach(message ->
                            messages.addObject().put("role", message.role()).put("content", message.content()));
        } else if (row instanceof Row.Image image) {
            json.put("image", image.picture().name());
            label(json, image.label());
        } else if (row instanceof Row.Question question) {
            json.put("question", question.question()).put("context", question.context());
            if (question.answers() != null) {
                ObjectNode answers = json.putObject("answers");
                ArrayNode texts = answers.putArray("text");
                ArrayNode starts = answers.putArray("answer_start");
                question.answers().forEach(answer -> {
                    texts.add(answer.text());
                    starts.add(answer.start());
                });
            }
        } else {
            throw new IllegalArgumentException("rows of " + row.shape().title() + " aren't written");
        }
        return json;
    }

    private static void label(ObjectNode json, @Nullable Label label) {
        if (label instanceof Label.One one) {
            json.put("label", one.name());
        } else if (label instanceof Label.Score score) {
            json.put("label", score.value());
        } else if (label != null) {
            ArrayNode names = json.putArray("label");
            label.names().forEach(names::add);
        }
    }
}
