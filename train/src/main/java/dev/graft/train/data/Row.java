package dev.graft.train.data;

import dev.graft.models.chat.Message;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import org.jspecify.annotations.Nullable;

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

    /** A conversation to learn the assistant's turns of. */
    record Chat(List<Message> messages) implements Row {
        public Chat {
            messages = List.copyOf(messages);
        }
    }

    /** A prompt and what should follow it. */
    record Completion(String prompt, String completion) implements Row {}

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

    /** The form of row that this is. */
    default RowShape shape() {
        if (this instanceof Text) {
            return label() == null ? RowShape.TEXT : RowShape.CLASSIFICATION;
        }
        if (this instanceof Chat) {
            return RowShape.CHAT;
        }
        if (this instanceof Completion) {
            return RowShape.PROMPT_COMPLETION;
        }
        if (this instanceof Image) {
            return label() == null ? RowShape.IMAGE : RowShape.LABELLED_IMAGE;
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
        return this instanceof Image row ? new Image(row.picture, label) : this;
    }

    /**
     * The first eight bytes of the SHA-256 of what the model gets to see, without the label: equal for equal inputs, and the same on
     * every machine.
     */
    default long hash() {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            if (this instanceof Text row) {
                text(sha, row.text);
                if (row.pair != null) {
                    text(sha, row.pair);
                }
            } else if (this instanceof Completion row) {
                text(sha, row.prompt);
                text(sha, row.completion);
            } else if (this instanceof Chat row) {
                for (Message message : row.messages) {
                    text(sha, message.role());
                    text(sha, String.valueOf(message.content()));
                }
            } else if (this instanceof Tokens row) {
                ids(sha, row.ids);
            } else if (this instanceof LabelledTokens row) {
                ids(sha, row.ids);
            } else if (this instanceof Image row) {
                sha.update(row.picture.bytes());
            }
            return ByteBuffer.wrap(sha.digest()).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
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
