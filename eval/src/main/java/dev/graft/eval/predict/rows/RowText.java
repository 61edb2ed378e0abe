package dev.graft.eval.predict.rows;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Message;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;

/** The text that names a row in the output, and the prompt that the model reads from it. */
final class RowText {
    private RowText() {}

    /** A prompt, a text, the last message or a picture's name. */
    static String of(Row row) {
        if (row instanceof Row.Instruction instruction) {
            return of(instruction.conversation());
        }
        if (row instanceof Row.Chat chat) {
            List<Message> messages = question(chat);
            return messages.isEmpty()
                    ? ""
                    : String.valueOf(messages.get(messages.size() - 1).content());
        }
        if (row instanceof Row.Image image) {
            return image.picture().name();
        }
        return row instanceof Row.Completion completion ? completion.prompt() : ((Row.Text) row).text();
    }

    /** The row that is answered: the answers of preferences and judgements are of one prompt. */
    static Row promptRow(Row row) {
        if (row instanceof Row.Preference preference) {
            return preference.chosen();
        }
        return row instanceof Row.Judged judged ? judged.answer() : row;
    }

    /** The conversation up to the answer to be given. */
    static List<Message> question(Row.Chat chat) {
        int end = chat.messages().size();
        while (end > 0 && chat.messages().get(end - 1).role().equals("assistant")) {
            end--;
        }
        return chat.messages().subList(0, end);
    }

    /** @throws InputException if a row has none */
    static PictureSource picture(Rows rows, int row) {
        if (rows.get(row) instanceof Row.Image image) {
            return image.picture();
        } else if (rows.get(row) instanceof Row.Captioned captioned) {
            return captioned.picture();
        } else if (rows.get(row) instanceof Row.Masked masked) {
            return masked.picture();
        }
        throw unsuitable(rows, row, "this model needs a picture");
    }

    /** Refuses a row. */
    static InputException unsuitable(Rows rows, int row, String needed) {
        return new InputException(
                rows.place(row) + ": the row is " + rows.get(row).shape().title() + ", but " + needed);
    }
}
