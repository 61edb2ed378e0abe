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
     * A conversation whose assistant turns are learnt.
     *
     * @param tools descriptions of the functions that the assistant may call, in the form that chat templates read
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
     * An instruction with its output, as in Alpaca's data.
     *
     * @param system the system prompt; empty for none
     * @param input the text that the instruction is about; empty for none
     */
    record Instruction(String system, String instruction, String input, String output) implements Row {
        /** Converts the instruction to a conversation, for bases with a chat template. */
        public Chat conversation() {
            return new Chat(Alpaca.messages(system, instruction, input, output));
        }

        /** Converts the instruction to Alpaca's prompt, for bases without a template. */
        public Completion completion() {
            return new Completion(Alpaca.prompt(system, instruction, input), output);
        }
    }

    /** A prompt and what should follow it. */
    record Completion(String prompt, String completion) implements Row {}

    /**
     * A better and a worse answer to the same prompt, each a {@link Completion}, an {@link Instruction} or a {@link Chat} that ends with
     * it.
     */
    record Preference(Row chosen, Row rejected) implements Row {}

    /**
     * An answer that was judged good or bad.
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
     * A question with the text that answers it, as in SQuAD.
     *
     * @param answers the answer as several annotators mark it; empty if the text has no answer; null in data without answers
     */
    record Question(
            String question, String context, @Nullable List<Answer> answers) implements Row {
        public Question {
            answers = answers == null ? null : List.copyOf(answers);
        }
    }

    /**
     * A question or the beginning of a text, with several choices to answer or continue it.
     *
     * @param correct the index of the right choice, from 0; null in data without labels
     */
    record Choice(
            String stem, List<String> choices, @Nullable Integer correct) implements Row {
        public Choice {
            choices = List.copyOf(choices);
        }
    }

    /**
     * An answer in a context.
     *
     * @param start the start in the context, in UTF-16 code units
     */
    record Answer(String text, int start) {}

    /**
     * Token ids of a causal model's row.
     *
     * @param ids token ids, [length]
     * @param labels for each position the id that the model should have predicted there, -100 for none, [length]
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

    /** A recording with its transcript. */
    record Speech(Path audio, String text) implements Row {}

    /** A picture with its caption. */
    record Captioned(PictureSource picture, String text) implements Row {}

    /**
     * Two related texts, whose embeddings should be close.
     *
     * @param negative an unrelated text; null if the rows have none
     */
    record TextPair(
            String anchor, String positive, @Nullable String negative) implements Row {}

    /** Two texts and their similarity, from -1 to 1. */
    record ScoredPair(String text, String pair, double score) implements Row {}

    /** A picture with a mask: the class of each pixel, 255 for unlabelled pixels. */
    record Masked(PictureSource picture, PictureSource mask) implements Row {}

    /** Returns the shape of this row. */
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
        if (this instanceof TextPair) {
            return RowShape.TEXT_PAIR;
        }
        if (this instanceof ScoredPair) {
            return RowShape.SCORED_PAIR;
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

    /** Returns the label; null for rows without one. */
    default @Nullable Label label() {
        return null;
    }

    /** Returns a copy with another label, if the row is one to classify; otherwise the row itself. */
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
     * Returns the first eight bytes of the SHA-256 of the model's input, without the label: equal for equal inputs on every machine.
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
        } else if (this instanceof TextPair row) {
            text(sha, row.anchor);
            text(sha, row.positive);
            text(sha, row.negative == null ? "" : row.negative);
        } else if (this instanceof ScoredPair row) {
            text(sha, row.text);
            text(sha, row.pair);
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
