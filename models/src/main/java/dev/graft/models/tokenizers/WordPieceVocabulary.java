package dev.graft.models.tokenizers;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code vocab.txt} of BERT, one token a line with the line number as id, as the equivalent {@code tokenizer.json}. */
final class WordPieceVocabulary {

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private WordPieceVocabulary() {}

    static ObjectNode read(Path file, JsonNode config) {
        Map<String, Integer> ids = ids(file);
        String unk = name(config, "unk_token", "[UNK]");
        ObjectNode vocab = JSON.objectNode();
        ids.forEach(vocab::put);
        ObjectNode root = JSON.objectNode();
        ArrayNode added = root.putArray("added_tokens");
        for (String key : new String[] {"pad_token", "unk_token", "cls_token", "sep_token", "mask_token"}) {
            String token =
                    name(config, key, "[" + key.substring(0, key.indexOf('_')).toUpperCase(Locale.ROOT) + "]");
            Integer id = ids.get(token);
            if (id == null) {
                throw new FormatException(
                        file,
                        "has no line \"" + token + "\", the " + key + "; name the right one as \"" + key
                                + "\" in tokenizer_config.json");
            }
            added.add(AddedToken.special(id, token).write());
        }
        root.putObject("normalizer")
                .put("type", "BertNormalizer")
                .put("clean_text", true)
                .put("handle_chinese_chars", true)
                .putNull("strip_accents")
                .put("lowercase", true);
        root.putObject("pre_tokenizer").put("type", "BertPreTokenizer");
        ObjectNode post = root.putObject("post_processor").put("type", "BertProcessing");
        for (String key : new String[] {"sep", "cls"}) {
            String token = name(config, key + "_token", "[" + key.toUpperCase(Locale.ROOT) + "]");
            post.putArray(key).add(token).add(ids.get(token));
        }
        root.putObject("decoder").put("type", "WordPiece").put("prefix", "##").put("cleanup", true);
        root.putObject("model")
                .put("type", "WordPiece")
                .put("unk_token", unk)
                .put("continuing_subword_prefix", "##")
                .put("max_input_chars_per_word", 100)
                .set("vocab", vocab);
        return root;
    }

    private static Map<String, Integer> ids(Path file) {
        Map<String, Integer> ids = new LinkedHashMap<>();
        String text;
        try {
            text = Files.readString(file, StandardCharsets.UTF_8);
        } catch (CharacterCodingException e) {
            throw new FormatException(file.toString(), "is not UTF-8", e);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
        String[] lines = text.split("\r?\n", -1);
        int count = lines[lines.length - 1].isEmpty() ? lines.length - 1 : lines.length;
        for (int line = 0; line < count; line++) {
            Integer before = ids.put(lines[line], line);
            if (before != null) {
                throw new FormatException(
                        file,
                        "lines " + (before + 1) + " and " + (line + 1) + " are the same token \"" + lines[line] + "\"");
            }
        }
        return ids;
    }

    private static String name(JsonNode config, String key, String fallback) {
        JsonNode token = config.path(key);
        return token.isObject() ? token.path("content").asString(fallback) : token.asString(fallback);
    }
}
