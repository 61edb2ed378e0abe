package dev.graft.models.tokenizers.internal;

import dev.graft.formats.FormatException;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.SpecialTokens.Role;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Which texts are special tokens: named by the config, else by the class that the file belongs to. */
record RoleNames(Map<Role, String> byRole, List<String> additional) {

    private static final Map<Role, String> BERT =
            Map.of(Role.UNK, "[UNK]", Role.SEP, "[SEP]", Role.PAD, "[PAD]", Role.CLS, "[CLS]", Role.MASK, "[MASK]");
    private static final Map<Role, String> ROBERTA = Map.of(
            Role.BOS, "<s>", Role.EOS, "</s>", Role.UNK, "<unk>", Role.SEP, "</s>", Role.PAD, "<pad>", Role.CLS, "<s>",
            Role.MASK, "<mask>");
    private static final Map<Role, String> GPT2 =
            Map.of(Role.BOS, "<|endoftext|>", Role.EOS, "<|endoftext|>", Role.UNK, "<|endoftext|>");
    private static final Map<Role, String> T5 = Map.of(Role.EOS, "</s>", Role.UNK, "<unk>", Role.PAD, "<pad>");
    private static final Map<Role, String> LLAMA = Map.of(Role.BOS, "<s>", Role.EOS, "</s>", Role.UNK, "<unk>");

    static RoleNames read(String source, JsonNode tokenizer, JsonNode config, Vocabulary vocabulary) {
        Map<Role, String> roles = new EnumMap<>(Role.class);
        for (Role role : Role.values()) {
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
        return new RoleNames(roles, List.copyOf(additional));
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

    private static @Nullable String fallback(Role role, JsonNode tokenizer, JsonNode config, Vocabulary vocabulary) {
        String token = null;
        if (role == Role.PAD) {
            token = tokenizer.path("padding").path("pad_token").asString(null);
        } else if (role == Role.UNK) {
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

    /** The defaults of the transformers class; older config files leave them out. */
    private static Map<Role, String> conventional(JsonNode tokenizer, JsonNode config) {
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
        Map<Role, SpecialTokens.Token> roles = new EnumMap<>(Role.class);
        byRole.forEach((role, content) -> roles.put(role, token(content, vocabulary)));
        List<SpecialTokens.Token> others = new ArrayList<>();
        additional.forEach(content -> others.add(token(content, vocabulary)));
        return new SpecialTokens(source, roles, others);
    }

    private static SpecialTokens.Token token(String content, Vocabulary vocabulary) {
        Integer id = vocabulary.id(content);
        if (id == null) {
            throw new IllegalStateException("the special token " + content + " was not added to the vocabulary");
        }
        return new SpecialTokens.Token(content, id);
    }
}
