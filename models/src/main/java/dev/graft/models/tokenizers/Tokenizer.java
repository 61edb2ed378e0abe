package dev.graft.models.tokenizers;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Converts text to token ids and back. Immutable and thread-safe. {@link Tokenizers} creates them.
 *
 * <p>Texts with a surrogate that has no partner are rejected with an {@link InputException}: they have no UTF-8 form.
 */
public interface Tokenizer {

    /** Returns the file or folder that it was read from, for messages. */
    String source();

    /** @throws InputException when the truncation cannot be done */
    Encoding encode(String text, EncodeOptions options);

    /** Encodes two texts together, such as {@code [CLS] first [SEP] second [SEP]}. */
    Encoding encode(TextPair pair, EncodeOptions options);

    /** Encodes many texts, padded to one length if the options require it. */
    List<Encoding> encodeAll(List<String> texts, EncodeOptions options);

    /** Encodes many pairs, padded to one length if the options require it. */
    List<Encoding> encodePairs(List<TextPair> pairs, EncodeOptions options);

    /**
     * Encodes a text of any length into as many encodings as necessary. Each has at most {@link Truncation#maxLength()}
     * tokens and shares {@link Truncation#stride()} tokens with the one before it.
     *
     * @throws InputException when the options have no truncation, or the stride leaves no room for new tokens
     */
    List<Encoding> windows(String text, EncodeOptions options);

    /**
     * Encodes a pair like {@link #windows(String, EncodeOptions)}: the text that the strategy shortens advances, the
     * other is repeated.
     */
    List<Encoding> windows(TextPair pair, EncodeOptions options);

    /**
     * Returns the text of token ids. Ids without a token contribute nothing; a model may have more embedding rows than
     * tokens.
     */
    String decode(int[] ids, boolean skipSpecialTokens);

    /** Returns whether {@link #decode} removes spaces before punctuation ({@code clean_up_tokenization_spaces}). */
    boolean cleansUpSpaces();

    /** Returns the id of a vocabulary entry, if it exists. */
    OptionalInt tokenId(String token);

    /** Returns the vocabulary entry of an id, null if there is none. */
    @Nullable
    String token(int id);

    /** The number of tokens, including added ones. */
    int vocabSize();

    /**
     * The highest id plus one: the minimum number of embedding rows of a model. It exceeds {@link #vocabSize()} if ids have gaps.
     */
    int idLimit();

    SpecialTokens specialTokens();

    /** Returns whether {@link #decode} omits this id when it skips special tokens. */
    boolean isSpecial(int id);

    /** The special tokens that the template adds around one text, in order. */
    List<SpecialTokens.SpecialToken> addedAround();

    /** {@code model_max_length}, if it is a real limit. */
    OptionalInt modelMaxLength();

    /** @throws InputException when a token's id has no embedding row */
    default void requireFits(int embeddingRows, String model) {
        if (idLimit() > embeddingRows) {
            throw new InputException(source() + " has token ids up to " + (idLimit() - 1) + " (" + token(idLimit() - 1)
                    + ") but " + model + " has " + embeddingRows
                    + " embedding rows; use the tokenizer that belongs to the model, or resize its embeddings");
        }
    }
}
