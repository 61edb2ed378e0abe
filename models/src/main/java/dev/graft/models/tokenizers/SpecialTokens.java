package dev.graft.models.tokenizers;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The tokens with a role, according to {@code tokenizer_config.json} and {@code special_tokens_map.json}.
 *
 * @param source the tokenizer they belong to, for messages
 * @param byRole tokens by role, without the roles that the tokenizer lacks; two roles may share a token
 * @param additional further special tokens, such as {@code <|im_start|>}
 */
public record SpecialTokens(String source, Map<TokenRole, SpecialToken> byRole, List<SpecialToken> additional) {

    /** A token's text and id. */
    public record SpecialToken(String content, int id) {}

    /** The role of a special token. */
    public enum TokenRole {
        BOS,
        EOS,
        UNK,
        SEP,
        PAD,
        CLS,
        MASK;

        /** The name in Hugging Face files and chat templates, such as {@code bos_token}. */
        public String key() {
            return name().toLowerCase(Locale.ROOT) + "_token";
        }
    }

    public SpecialTokens {
        byRole = Map.copyOf(byRole);
        additional = List.copyOf(additional);
    }

    public Optional<SpecialToken> get(TokenRole role) {
        return Optional.ofNullable(byRole.get(role));
    }

    public OptionalInt id(TokenRole role) {
        SpecialToken token = byRole.get(role);
        return token == null ? OptionalInt.empty() : OptionalInt.of(token.id());
    }

    /** @throws InputException when the tokenizer has no such token */
    public SpecialToken require(TokenRole role) {
        return get(role)
                .orElseThrow(() -> new InputException(
                        source + " names no " + role.key() + "; name one of the vocabulary's tokens as \"" + role.key()
                                + "\" in tokenizer_config.json beside it"));
    }
}
