package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import dev.graft.models.tokenizers.SpecialTokens.TokenRole;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The texts that are special tokens: those that the config names, else the defaults of the tokenizer class. */
record SpecialTokenNames(Map<TokenRole, String> byRole, List<String> additional) {

    private static final Map<TokenRole, String> BERT = Map.of(
            TokenRole.UNK,
            "[UNK]",
            TokenRole.SEP,
            "[SEP]",
            TokenRole.PAD,
            "[PAD]",
            TokenRole.CLS,
            "[CLS]",
            TokenRole.MASK,
            "[MASK]");
    private static final Map<TokenRole, String> ROBERTA = Map.of(
            TokenRole.BOS,
            "<s>",
            TokenRole.EOS,
            "</s>",
            TokenRole.UNK,
            "<unk>",
            TokenRole.SEP,
            "</s>",
            TokenRole.PAD,
            "<pad>",
            TokenRole.CLS,
            "<s>",
            TokenRole.MASK,
            "<mask>");
    private static final Map<TokenRole, String> GPT2 =
            Map.of(TokenRole.BOS, "<|endoftext|>", TokenRole.EOS, "<|endoftext|>", TokenRole.UNK, "<|endoftext|>");
    private static final Map<TokenRole, String> T5 =
            Map.of(TokenRole.EOS, "</s>", TokenRole.UNK, "<unk>", TokenRole.PAD, "<pad>");
    private static final Map<TokenRole, String> LLAMA =
            Map.of(TokenRole.BOS, "<s>", TokenRole.EOS, "</s>", TokenRole.UNK, "<unk>");

    static SpecialTokenNames read(String source, JsonNode tokenizer, JsonNode config, Vocabulary vocabulary) {
        Map<TokenRole, String> roles = new EnumMap<>(TokenRole.class);
        for (TokenRole role : TokenRole.values()) {
            JsonNode named = config.path(role.key());
            String content = content(source, role.key(), named);
            if (content == null && named.isMissingNode()) {
                content = fallback(role, tokenizer, config, vocabulary);
            }
            if (content != null) {
                roles.put(role, content);
            }
        }
        Set<String> additional = new LinkedHashSet<>();
        for (String key : List.of("additional_special_tokens", "extra_special_tokens")) {
            for (JsonNode token : config.path(key)) { // the values, where it is an object of names
                String content = content(source, key, token);
                if (content != null) {
                    additional.add(content);
                }
            }
        }
        return new SpecialTokenNames(roles, List.copyOf(additional));
    }

    private static @Nullable String content(String source, String key, JsonNode value) {
        if (value.isMissingNode() || value.isNull()) {
            return null;
        }
        JsonNode content = value.isObject() ? value.path("content") : value;
        if (!content.isString() || content.stringValue().isEmpty()) {
            throw new FormatException(
                    source, key + " is " + value + ", expected a token's text or an object with its \"content\"", null);
        }
        return content.stringValue();
    }

    private static @Nullable String fallback(
            TokenRole role, JsonNode tokenizer, JsonNode config, Vocabulary vocabulary) {
        String token = null;
        if (role == TokenRole.PAD) {
            token = tokenizer.path("padding").path("pad_token").asString(null);
        } else if (role == TokenRole.UNK) {
            token = tokenizer.path("model").path("unk_token").asString(null);
        }
        if (token == null) {
            token = conventional(tokenizer, config).get(role);
        }
        return token == null || vocabulary.id(token) == null && !isAdded(tokenizer, token) ? null : token;
    }

    private static boolean isAdded(JsonNode tokenizer, String token) {
        for (JsonNode added : tokenizer.path("added_tokens")) {
            if (added.path("content").asString("").equals(token)) {
                return true;
            }
        }
        return false;
    }

    /** Returns the defaults of the transformers class; older config files omit them. */
    private static Map<TokenRole, String> conventional(JsonNode tokenizer, JsonNode config) {
        String type = config.path("tokenizer_class").asString("").replaceFirst("(Fast)?$", "");
        return switch (type) {
            case "GPT2Tokenizer" -> GPT2;
            case "RobertaTokenizer", "XLMRobertaTokenizer", "MPNetTokenizer", "BartTokenizer", "LongformerTokenizer" ->
                ROBERTA;
            case "T5Tokenizer" -> T5;
            case "LlamaTokenizer" -> LLAMA;
            case "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer" -> BERT;
            case "" -> {
                if (tokenizer.path("model").path("type").asString("").equals("WordPiece")) {
                    yield BERT;
                }
                yield switch (tokenizer.path("post_processor").path("type").asString("")) {
                    case "RobertaProcessing" -> ROBERTA;
                    case "ByteLevel" -> GPT2;
                    default -> Map.of();
                };
            }
            default -> Map.of();
        };
    }

    /** Every text that is a special token, in the order in which transformers adds them. */
    Set<String> contents() {
        Set<String> all = new LinkedHashSet<>(byRole.values());
        all.addAll(additional);
        return all;
    }

    SpecialTokens resolve(String source, Vocabulary vocabulary) {
        Map<TokenRole, SpecialTokens.SpecialToken> roles = new EnumMap<>(TokenRole.class);
        byRole.forEach((role, content) -> roles.put(role, token(content, vocabulary)));
        List<SpecialTokens.SpecialToken> others = new ArrayList<>();
        additional.forEach(content -> others.add(token(content, vocabulary)));
        return new SpecialTokens(source, roles, others);
    }

    private static SpecialTokens.SpecialToken token(String content, Vocabulary vocabulary) {
        Integer id = vocabulary.id(content);
        if (id == null) {
            throw new IllegalStateException("the special token " + content + " was not added to the vocabulary");
        }
        return new SpecialTokens.SpecialToken(content, id);
    }
}
