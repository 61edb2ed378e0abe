package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A tokenizer before it runs: {@code tokenizer.json} with the changes of {@code tokenizer_config.json}, as transformers
 * applies them when it loads the two.
 *
 * @param nativeJson the definition for the native library, without post-processor, truncation or padding
 */
record TokenizerDefinition(
        String source,
        String nativeJson,
        Vocabulary vocabulary,
        List<AddedToken> added,
        SpecialTokens specialTokens,
        PostProcessor postProcessor,
        OptionalInt modelMaxLength,
        Side truncationSide,
        Side paddingSide,
        int padType,
        boolean cleanUp) {

    /** Above this {@code model_max_length} means "no limit"; transformers writes 1e30. */
    private static final double NO_LIMIT = 1e9;

    static TokenizerDefinition of(String source, JsonNode tokenizer, JsonNode config) {
        ObjectNode json = requireTokenizer(source, tokenizer);
        if (config.path("split_special_tokens").asBoolean(false)) {
            throw new FormatException(
                    source,
                    "split_special_tokens=true in tokenizer_config.json is not supported; set it to false, or remove"
                            + " special tokens from texts yourself",
                    null);
        }
        JsonNode model = json.path("model");
        Vocabulary base = new Vocabulary(source, model, List.of());
        SpecialTokenNames names = SpecialTokenNames.read(source, json, config, base);
        List<AddedToken> added = added(source, json, config, names, base);
        Vocabulary vocabulary = new Vocabulary(source, model, added);
        SpecialTokens specials = names.resolve(source, vocabulary);

        PostProcessor post = postProcessor(source, json, config, specials);
        post.check(source, vocabulary);
        ConfiguredSteps.apply(json, config);
        json.set("added_tokens", array(added));
        json.putNull("post_processor");
        json.putNull("truncation");
        json.putNull("padding");

        JsonNode padding = tokenizer.path("padding");
        return new TokenizerDefinition(
                source,
                Json.compact(json),
                vocabulary,
                added,
                specials,
                post,
                modelMaxLength(source, config),
                side(source, config, "truncation_side", tokenizer.path("truncation")),
                side(source, config, "padding_side", padding),
                config.path("pad_token_type_id")
                        .asInt(padding.path("pad_type_id").asInt(0)),
                config.path("clean_up_tokenization_spaces").asBoolean(false)
                        && (!model.path("type").asString("").equals("BPE")
                                || config.path(
                                                "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output")
                                        .asBoolean(false)));
    }

    private static ObjectNode requireTokenizer(String source, JsonNode tokenizer) {
        JsonNode model = tokenizer.path("model");
        JsonNode vocab = model.path("vocab");
        if (!model.isObject() || !(vocab.isObject() || vocab.isArray())) {
            throw new FormatException(
                    source,
                    "is not a tokenizer: expected an object with model.vocab, as tokenizer.save() writes it",
                    null);
        }
        return ((ObjectNode) tokenizer).deepCopy();
    }

    /** Returns the added tokens in the order of their ids, each with the id that the native library assigns to it. */
    private static List<AddedToken> added(
            String source, JsonNode json, JsonNode config, SpecialTokenNames names, Vocabulary base) {
        Map<String, AddedToken> byContent = new LinkedHashMap<>();
        List<AddedToken> listed = new ArrayList<>();
        for (JsonNode node : json.path("added_tokens")) {
            int id = Vocabulary.id(source, node.path("content").asString(""), node.path("id"));
            listed.add(AddedToken.read(source, id, node));
        }
        for (Map.Entry<String, JsonNode> entry :
                config.path("added_tokens_decoder").properties()) {
            listed.add(AddedToken.read(source, number(source, entry.getKey()), entry.getValue()));
        }
        Set<String> roles = names.contents();
        for (AddedToken token : listed) {
            AddedToken before =
                    byContent.put(token.content(), roles.contains(token.content()) ? token.withSpecial(true) : token);
            if (before != null && before.id() != token.id()) {
                throw new FormatException(
                        source,
                        "the added token \"" + token.content() + "\" has id " + before.id()
                                + " in tokenizer.json and id " + token.id() + " in tokenizer_config.json",
                        null);
            }
        }
        List<AddedToken> tokens = new ArrayList<>(byContent.values());
        tokens.sort(Comparator.comparingInt(AddedToken::id));
        for (String content : roles) {
            if (!byContent.containsKey(content)) {
                tokens.add(AddedToken.special(-1, content));
            }
        }
        return numbered(source, tokens, base);
    }

    private static List<AddedToken> numbered(String source, List<AddedToken> tokens, Vocabulary base) {
        List<AddedToken> numbered = new ArrayList<>();
        int highest = -1;
        Set<Integer> used = new HashSet<>();
        for (AddedToken token : tokens) {
            Integer known = base.id(token.content());
            int id = known != null ? known : Math.max(base.size(), highest + 1);
            if (token.id() >= 0 && token.id() != id) {
                throw new FormatException(
                        source,
                        "the added token \"" + token.content() + "\" has id " + token.id() + ", but its place is " + id
                                + (known != null
                                        ? ", the id it has in the vocabulary"
                                        : ", the first free one after the vocabulary"),
                        null);
            }
            if (!used.add(id)) {
                throw new FormatException(
                        source, "two added tokens have id " + id + ", one is \"" + token.content() + "\"", null);
            }
            highest = Math.max(highest, id);
            numbered.add(token.withId(id));
        }
        return List.copyOf(numbered);
    }

    private static int number(String source, String id) {
        try {
            return Integer.parseInt(id);
        } catch (NumberFormatException e) {
            throw new FormatException(
                    source, "added_tokens_decoder has the key \"" + id + "\", expected a token id", e);
        }
    }

    /** An explicit add_bos_token or add_eos_token replaces the template, as in transformers 5. */
    private static PostProcessor postProcessor(String source, JsonNode json, JsonNode config, SpecialTokens specials) {
        PostProcessor read = PostProcessor.read(source, json.path("post_processor"));
        if (!config.path("add_bos_token").isBoolean()
                && !config.path("add_eos_token").isBoolean()) {
            return read;
        }
        List<PostProcessor.Piece> single = new ArrayList<>();
        List<PostProcessor.Piece> pair = new ArrayList<>();
        for (int text = 0; text < 2; text++) {
            List<PostProcessor.Piece> around = new ArrayList<>();
            if (config.path("add_bos_token").asBoolean(false)) {
                around.add(new PostProcessor.Special(
                        required(source, specials, SpecialTokens.TokenRole.BOS, "add_bos_token"), text));
            }
            around.add(new PostProcessor.Text(text, text));
            if (config.path("add_eos_token").asBoolean(false)) {
                around.add(new PostProcessor.Special(
                        required(source, specials, SpecialTokens.TokenRole.EOS, "add_eos_token"), text));
            }
            if (text == 0) {
                single.addAll(around);
            }
            pair.addAll(around);
        }
        return new PostProcessor(single, pair, read.trimOffsets(), read.keepsFirstSpace());
    }

    private static SpecialTokens.SpecialToken required(
            String source, SpecialTokens specials, SpecialTokens.TokenRole role, String field) {
        return specials.get(role)
                .orElseThrow(() -> new FormatException(
                        source, field + " is true in tokenizer_config.json, but there is no " + role.key(), null));
    }

    private static OptionalInt modelMaxLength(String source, JsonNode config) {
        JsonNode limit = config.path("model_max_length");
        if (!limit.isNumber() || limit.doubleValue() >= NO_LIMIT) {
            return OptionalInt.empty();
        }
        if (limit.doubleValue() < 1) {
            throw new FormatException(source, "model_max_length is " + limit + ", expected a positive number", null);
        }
        return OptionalInt.of((int) limit.doubleValue());
    }

    private static Side side(String source, JsonNode config, String key, JsonNode section) {
        String side = config.path(key).asString(section.path("direction").asString("right"));
        return switch (side) {
            case "right", "Right" -> Side.RIGHT;
            case "left", "Left" -> Side.LEFT;
            default ->
                throw new FormatException(source, key + " is \"" + side + "\", expected \"left\" or \"right\"", null);
        };
    }

    private static ArrayNode array(List<AddedToken> tokens) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        tokens.forEach(token -> array.add(token.write()));
        return array;
    }

    /** Returns the error for a definition that the native library rejects. */
    static InputException refused(String source, RuntimeException cause) {
        return new FormatException(source, "the tokenizers library refuses it: " + cause.getMessage(), cause);
    }
}
