package dev.graft.models.tokenizers;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Text to token ids and back. Immutable, and safe to use from any number of threads. Made by {@link Tokenizers}.
 *
 * <p>Texts with a surrogate that has no partner are refused with an {@link InputException}: they have no UTF-8 form.
 */
public interface Tokenizer {

    /** Where it was read from, for messages. */
    String source();

    /** @throws InputException when the truncation cannot be done */
    Encoding encode(String text, EncodeOptions options);

    /** Encodes two texts together, such as {@code [CLS] first [SEP] second [SEP]}. */
    Encoding encode(TextPair pair, EncodeOptions options);

    /** Encodes many texts, padded to one length if the options say so. */
    List<Encoding> encodeAll(List<String> texts, EncodeOptions options);

    /** Encodes many pairs, padded to one length if the options say so. */
    List<Encoding> encodePairs(List<TextPair> pairs, EncodeOptions options);

    /**
     * Encodes a text of any length into as many encodings as it takes, each at most {@link Truncation#maxLength()} long and sharing
     * {@link Truncation#stride()} tokens with the one before it.
     *
     * @throws InputException when the options have no truncation, or the stride leaves no room for new tokens
     */
    List<Encoding> windows(String text, EncodeOptions options);

    /** As {@link #windows(String, EncodeOptions)}: the text that the strategy shortens moves on, the other is repeated. */
    List<Encoding> windows(TextPair pair, EncodeOptions options);

    /** The text of token ids. Ids that no token has (a model may have more embedding rows than tokens) contribute nothing. */
    String decode(int[] ids, boolean skipSpecialTokens);

    /** Whether {@link #decode} takes spaces before punctuation out ({@code clean_up_tokenization_spaces}). */
    boolean cleansUpSpaces();

    /** The id of a vocabulary entry. */
    OptionalInt tokenId(String token);

    /** The vocabulary entry of an id, null if there is none. */
    @Nullable
    String token(int id);

    /** The number of tokens, added ones included. */
    int vocabSize();

    /** The highest id plus one: the least number of embedding rows that a model needs. More than {@link #vocabSize()} where ids have gaps. */
    int idLimit();

    SpecialTokens specialTokens();

    /** Whether {@link #decode} leaves this id out when it skips special tokens. */
    boolean isSpecial(int id);

    /** The special tokens that the template adds around one text, in order. */
    List<SpecialTokens.Token> addedAround();

    /** {@code model_max_length}, where it is a real limit. */
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
