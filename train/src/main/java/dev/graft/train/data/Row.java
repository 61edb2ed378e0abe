package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import dev.graft.models.chat.Message;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** One row of a data set, before tokenisation. */
public sealed interface Row {

    /**
     * A text or a pair of texts to classify.
     *
     * @param pair the second text, null for one
     * @param label null in data without labels
     */
    record Text(
            String text, @Nullable String pair, @Nullable Label label) implements Row {}

    /**
     * A conversation to learn the assistant's turns of.
     *
     * @param tools descriptions of the functions that it may call, as the template takes them
     */
    record Chat(List<Message> messages, List<JsonNode> tools) implements Row {
        public Chat {
            messages = List.copyOf(messages);
            tools = List.copyOf(tools);
        }

        public Chat(List<Message> messages) {
            this(messages, List.of());
        }
    }

    /**
     * An instruction of the kind that Alpaca has.
     *
     * @param system what comes before it; empty for nothing
     * @param input what the instruction is about; empty for nothing
     */
    record Instruction(String system, String instruction, String input, String output) implements Row {
        /** As a conversation, for bases with a chat template. */
        public Chat conversation() {
            return new Chat(Alpaca.messages(this));
        }

        /** As Alpaca was trained on, for bases without one. */
        public Completion completion() {
            return Alpaca.completion(this);
        }
    }

    /** A prompt and what should follow it. */
    record Completion(String prompt, String completion) implements Row {}

    /** Two answers to the same prompt, each a {@link Completion}, an {@link Instruction} or a {@link Chat} that ends with it. */
    record Preference(Row chosen, Row rejected) implements Row {}

    /**
     * An answer and whether it is a good one.
     *
     * @param answer a {@link Completion}, an {@link Instruction} or a {@link Chat} that ends with it
     */
    record Judged(Row answer, boolean isGood) implements Row {}

    /**
     * Words, each of which has a class.
     *
     * @param label null in data without classes
     */
    record Words(List<String> words, Label.@Nullable Each label) implements Row {
        public Words {
            words = List.copyOf(words);
        }
    }

    /**
     * A question that a text answers.
     *
     * @param answers the same answer as several people mark it; none where the text doesn't answer the question; null in data without
     *     answers
     */
    record Question(
            String question, String context, @Nullable List<Answer> answers) implements Row {
        public Question {
            answers = answers == null ? null : List.copyOf(answers);
        }
    }

    /**
     * A text and those that may go on with it or answer it.
     *
     * @param correct the number of the right one, from 0; null in data that doesn't say
     */
    record Choice(
            String stem, List<String> choices, @Nullable Integer correct) implements Row {
        public Choice {
            choices = List.copyOf(choices);
        }
    }

    /** @param start where it begins in the context, in Java's characters */
    record Answer(String text, int start) {}

    /**
     * Token ids of a causal model's row.
     *
     * @param labels for each position the id that the model should have predicted there, -100 for none
     */
    @SuppressWarnings("ArrayRecordComponent") // read-only by contract: rows of a large set are not copied
    record Tokens(int[] ids, int[] labels) implements Row {}

    /** Token ids of a row to classify. */
    @SuppressWarnings("ArrayRecordComponent") // as above
    record LabelledTokens(int[] ids, Label label) implements Row {}

    /**
     * A picture to classify.
     *
     * @param label null in data without labels
     */
    record Image(PictureSource picture, @Nullable Label label) implements Row {}

    /** A recording and what is said in it. */
    record Speech(Path audio, String text) implements Row {}

    /** A picture and the text that belongs to it. */
    record Captioned(PictureSource picture, String text) implements Row {}

    /** A picture and the class of each of its points; 255 for those without one. */
    record Masked(PictureSource picture, PictureSource mask) implements Row {}

    /** The form of row that this is. */
    default RowShape shape() {
        if (this instanceof Text) {
            return label() == null ? RowShape.TEXT : RowShape.CLASSIFICATION;
        }
        if (this instanceof Chat) {
            return RowShape.CHAT;
        }
        if (this instanceof Instruction) {
            return RowShape.INSTRUCTION;
        }
        if (this instanceof Completion) {
            return RowShape.PROMPT_COMPLETION;
        }
        if (this instanceof Captioned) {
            return RowShape.IMAGE_TEXT;
        }
        if (this instanceof Masked) {
            return RowShape.IMAGE_MASK;
        }
        if (this instanceof Image) {
            return label() == null ? RowShape.IMAGE : RowShape.LABELLED_IMAGE;
        }
        if (this instanceof Preference) {
            return RowShape.PREFERENCE;
        }
        if (this instanceof Judged) {
            return RowShape.JUDGED;
        }
        if (this instanceof Words) {
            return label() == null ? RowShape.UNTAGGED : RowShape.WORDS;
        }
        if (this instanceof Question question) {
            return question.answers == null ? RowShape.UNANSWERED : RowShape.QUESTION;
        }
        if (this instanceof Choice choice) {
            return choice.correct == null ? RowShape.UNSOLVED : RowShape.CHOICE;
        }
        if (this instanceof Speech) {
            return RowShape.SPEECH;
        }
        return this instanceof Tokens ? RowShape.TOKENS : RowShape.LABELLED_TOKENS;
    }

    /** The label; null for rows that have none. */
    default @Nullable Label label() {
        return null;
    }

    /** The row with that label, where it is one to classify; else the row as it is. */
    default Row with(Label label) {
        if (this instanceof Text row) {
            return new Text(row.text, row.pair, label);
        }
        if (this instanceof Words row && label instanceof Label.Each each) {
            return new Words(row.words, each);
        }
        return this instanceof Image row ? new Image(row.picture, label) : this;
    }

    /**
     * The first eight bytes of the SHA-256 of what the model gets to see, without the label: equal for equal inputs, and the same on
     * every machine.
     */
    default long hash() {
        MessageDigest sha = Sha256.digest();
        input(sha);
        return ByteBuffer.wrap(sha.digest()).getLong();
    }

    private void input(MessageDigest sha) {
        if (this instanceof Text row) {
            text(sha, row.text);
            if (row.pair != null) {
                text(sha, row.pair);
            }
        } else if (this instanceof Completion row) {
            text(sha, row.prompt);
            text(sha, row.completion);
        } else if (this instanceof Instruction row) {
            text(sha, row.system);
            text(sha, row.instruction);
            text(sha, row.input);
            text(sha, row.output);
        } else if (this instanceof Chat row) {
            row.messages.forEach(message -> {
                text(sha, message.role());
                text(sha, message.content() == null ? "" : message.content());
                text(sha, String.valueOf(message.fields().get("tool_calls")));
            });
            row.tools.forEach(tool -> text(sha, tool.toString()));
        } else if (this instanceof Preference row) {
            row.chosen.input(sha);
            row.rejected.input(sha);
        } else if (this instanceof Judged row) {
            row.answer.input(sha);
        } else if (this instanceof Words row) {
            row.words.forEach(word -> text(sha, word));
        } else if (this instanceof Question row) {
            text(sha, row.question);
            text(sha, row.context);
        } else if (this instanceof Choice row) {
            text(sha, row.stem);
            row.choices.forEach(choice -> text(sha, choice));
        } else if (this instanceof Tokens row) {
            ids(sha, row.ids);
        } else if (this instanceof LabelledTokens row) {
            ids(sha, row.ids);
        } else if (this instanceof Image row) {
            sha.update(row.picture.bytes());
        } else if (this instanceof Masked row) {
            sha.update(row.picture.bytes());
        } else if (this instanceof Captioned row) {
            sha.update(row.picture.bytes());
            text(sha, row.text);
        } else if (this instanceof Speech row) {
            sha.update(bytes(row.audio));
        }
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new InputException("cannot read " + file + ": " + e, e);
        }
    }

    private static void text(MessageDigest sha, String text) {
        sha.update(text.getBytes(StandardCharsets.UTF_8));
        sha.update((byte) 0xff);
    }

    private static void ids(MessageDigest sha, int[] ids) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * ids.length);
        bytes.asIntBuffer().put(ids);
        sha.update(bytes);
    }
}
