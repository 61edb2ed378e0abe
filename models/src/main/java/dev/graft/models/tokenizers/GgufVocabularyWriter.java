package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import dev.graft.formats.Gguf;
import dev.graft.formats.GgufFields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.internal.TemplateFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * Converts a tokenizer to the {@code tokenizer.ggml.*} fields of a GGUF file. They are copied from the GGUF file of the
 * tokenizer, or built from byte-level BPE.
 */
final class GgufVocabularyWriter {
    private static final String KEY = "tokenizer.ggml.";
    private static final String TEMPLATE = "tokenizer.chat_template";
    private static final int NORMAL = 1;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;
    private static final List<String> ROLES =
            List.of("bos", "eos", "unknown", "padding", "seperator", "cls", "mask", "eot");
    private static final Map<String, String> ROLE_TOKENS =
            Map.of("bos_token", "bos", "eos_token", "eos", "unk_token", "unknown", "pad_token", "padding");

    private GgufVocabularyWriter() {}

    /**
     * Returns the fields.
     *
     * @param source a folder or a GGUF file
     * @param vocabulary the number of embedding rows; ids without a token are filled up
     * @throws InputException if the tokenizer is of an unsupported kind
     */
    static Map<String, Object> fields(Path source, int vocabulary) {
        if (!Files.isDirectory(source)) {
            try (Gguf file = Gguf.open(source)) {
                return copied(file.fields());
            }
        }
        Path json = source.resolve("tokenizer.json");
        if (Files.isRegularFile(json)) {
            return made(source, Json.read(json), vocabulary);
        }
        boolean none = GgufVocabulary.TOKENIZER_FILES.stream().noneMatch(name -> Files.exists(source.resolve(name)));
        if (none) {
            // What llama.cpp calls a model without a tokenizer.
            return Map.of(KEY + "model", "no_vocab");
        }
        throw new InputException(
                source + ": only a tokenizer.json is written to GGUF files; this one is of another kind");
    }

    private static Map<String, Object> copied(GgufFields from) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (String text : new String[] {KEY + "model", KEY + "pre", TEMPLATE}) {
            if (from.has(text)) {
                fields.put(text, from.string(text));
            }
        }
        for (String texts : new String[] {KEY + "tokens", KEY + "merges"}) {
            if (from.has(texts)) {
                fields.put(texts, from.strings(texts));
            }
        }
        if (from.has(KEY + "token_type")) {
            fields.put(
                    KEY + "token_type",
                    Arrays.stream(from.integers(KEY + "token_type"))
                            .mapToInt(Math::toIntExact)
                            .toArray());
        }
        if (from.has(KEY + "scores")) {
            fields.put(KEY + "scores", from.floats(KEY + "scores"));
        }
        for (String role : ROLES) {
            if (from.has(KEY + role + "_token_id")) {
                fields.put(KEY + role + "_token_id", Math.toIntExact(from.integer(KEY + role + "_token_id")));
            }
        }
        for (String flag : new String[] {KEY + "add_bos_token", KEY + "add_eos_token", KEY + "add_space_prefix"}) {
            if (from.has(flag)) {
                fields.put(flag, from.bool(flag, false));
            }
        }
        return fields;
    }

    private static Map<String, Object> made(Path folder, JsonNode tokenizer, int vocabulary) {
        String source = folder.resolve("tokenizer.json").toString();
        JsonNode model = tokenizer.path("model");
        if (!model.path("type").asString("").equals("BPE")
                || model.path("byte_fallback").asBoolean(false)) {
            throw new FormatException(
                    source,
                    "only byte-level BPE is written to GGUF files, this is "
                            + model.path("type").asString(""),
                    null);
        }
        String[] tokens = new String[vocabulary];
        int[] types = new int[vocabulary];
        Arrays.fill(types, UNUSED);
        model.path("vocab")
                .properties()
                .forEach(entry -> put(source, tokens, types, entry.getValue().intValue(), entry.getKey(), NORMAL));
        for (JsonNode added : tokenizer.path("added_tokens")) {
            AddedToken token = AddedToken.read(source, added.path("id").intValue(), added);
            put(source, tokens, types, token.id(), token.content(), token.special() ? CONTROL : USER_DEFINED);
        }
        for (int id = 0; id < vocabulary; id++) {
            tokens[id] = tokens[id] == null ? "[PAD" + id + "]" : tokens[id];
        }
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : model.path("merges")) {
            merges.add(
                    merge.isArray()
                            ? merge.get(0).asString() + " " + merge.get(1).asString()
                            : merge.asString());
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put(KEY + "model", "gpt2");
        fields.put(KEY + "pre", GgufVocabulary.pre(source, tokenizer.path("pre_tokenizer")));
        fields.put(KEY + "tokens", List.of(tokens));
        fields.put(KEY + "token_type", types);
        fields.put(KEY + "merges", merges);
        Path file = folder.resolve("tokenizer_config.json");
        JsonNode config = Files.isRegularFile(file) ? Json.read(file) : JsonNodeFactory.instance.objectNode();
        ROLE_TOKENS.forEach((field, role) -> {
            JsonNode named = config.path(field);
            String token = named.isObject() ? named.path("content").asString("") : named.asString("");
            int id = Arrays.asList(tokens).indexOf(token);
            if (!token.isEmpty() && id >= 0) {
                fields.put(KEY + role + "_token_id", id);
            }
        });
        if (config.has("add_bos_token")) {
            fields.put(KEY + "add_bos_token", config.get("add_bos_token").asBoolean());
        }
        String template = TemplateFiles.find(folder).get("default");
        if (template != null) {
            fields.put(TEMPLATE, template);
        }
        return fields;
    }

    private static void put(String source, String[] tokens, int[] types, int id, String token, int type) {
        if (id < 0 || id >= tokens.length) {
            throw new FormatException(
                    source, "\"" + token + "\" has the id " + id + ", the model has " + tokens.length + " rows", null);
        }
        tokens[id] = token;
        types[id] = type;
    }
}
