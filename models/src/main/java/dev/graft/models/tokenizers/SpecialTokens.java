package dev.graft.models.tokenizers;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The tokens that have a role, as {@code tokenizer_config.json} and {@code special_tokens_map.json} name them.
 *
 * @param source the tokenizer they belong to, for messages
 * @param byRole roles the tokenizer has not are absent; two roles may share a token
 * @param additional further special tokens, such as {@code <|im_start|>}
 */
public record SpecialTokens(String source, Map<Role, Token> byRole, List<Token> additional) {

    /** A token's text and id. */
    public record Token(String content, int id) {}

    /** What a special token is for. */
    public enum Role {
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

    public Optional<Token> get(Role role) {
        return Optional.ofNullable(byRole.get(role));
    }

    public OptionalInt id(Role role) {
        Token token = byRole.get(role);
        return token == null ? OptionalInt.empty() : OptionalInt.of(token.id());
    }

    /** @throws InputException when the tokenizer has no such token */
    public Token require(Role role) {
        return get(role)
                .orElseThrow(() -> new InputException(
                        source + " names no " + role.key() + "; name one of the vocabulary's tokens as \"" + role.key()
                                + "\" in tokenizer_config.json beside it"));
    }
}
