package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import dev.graft.formats.GgufFields;
import dev.graft.formats.SentencePiece;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The {@code tokenizer.ggml.*} fields of a GGUF file as the {@code tokenizer.json} they were converted from. They
 * describe byte-level BPE ({@code gpt2}) or the merges of SentencePiece ({@code llama}). A file of the former names one
 * of the splitting rules below in {@code tokenizer.ggml.pre}.
 */
final class GgufVocabulary {

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String KEY = "tokenizer.ggml.";

    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;

    private static final String WORDS =
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                    + "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    /** The rule that splits a text before the merges. */
    private enum Split {
        GPT2,
        SMOLLM,
        LLAMA3,
        QWEN2
    }

    private static final Map<String, Split> SPLITS = Map.of(
            "gpt-2", Split.GPT2,
            "smollm", Split.SMOLLM,
            "llama-bpe", Split.LLAMA3,
            "llama3", Split.LLAMA3,
            "llama-v3", Split.LLAMA3,
            "qwen2", Split.QWEN2);

    static final List<String> TOKENIZER_FILES = List.of(
            "vocab.txt", "vocab.json", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "spm.model");

    private GgufVocabulary() {}

    /** The name of the rule by which a tokenizer.json splits texts. */
    static String pre(String source, JsonNode preTokenizer) {
        for (String name : List.of("gpt-2", "smollm", "llama-bpe", "qwen2")) {
            if (preTokenizer(Objects.requireNonNull(SPLITS.get(name))).equals(preTokenizer)) {
                return name;
            }
        }
        throw new FormatException(
                source,
                "its pre_tokenizer is none that a GGUF file has a name for here (gpt-2, smollm, llama-bpe, qwen2): "
                        + preTokenizer,
                null);
    }

    static Tokenizer read(String source, GgufFields fields) {
        TokenizerJson files = files(source, fields);
        return TokenizerFiles.tokenizer(source, files.tokenizer(), files.config());
    }

    /** Returns the files that the fields were converted from. */
    static TokenizerJson files(String source, GgufFields fields) {
        String model = fields.string(KEY + "model");
        if (model.equals("llama")) {
            return merged(source, fields);
        } else if (!model.equals("gpt2")) {
            throw new FormatException(
                    source,
                    KEY + "model is \"" + model
                            + "\", only gpt2 (byte-level BPE) and llama (SentencePiece) are read; give the"
                            + " tokenizer.json of the model instead",
                    null);
        }
        String pre = fields.string(KEY + "pre");
        Split split = SPLITS.get(pre);
        if (split == null) {
            throw new FormatException(
                    source,
                    KEY + "pre is \"" + pre + "\", a splitting rule that is not known (known: "
                            + SPLITS.keySet().stream().sorted().toList()
                            + "); give the tokenizer.json of the model instead",
                    null);
        }
        List<String> tokens = fields.strings(KEY + "tokens");
        long[] types = fields.integers(KEY + "token_type");
        if (types.length != tokens.size()) {
            throw new FormatException(
                    source, KEY + "token_type has " + types.length + " entries for " + tokens.size() + " tokens", null);
        }
        ObjectNode root = JSON.objectNode();
        ArrayNode added = root.putArray("added_tokens");
        ObjectNode vocab = JSON.objectNode();
        for (int id = 0; id < types.length; id++) {
            String token = tokens.get(id);
            if (types[id] == UNUSED) {
                continue;
            }
            if (vocab.has(token)) {
                throw new FormatException(
                        source,
                        KEY + "tokens has \"" + token + "\" twice, as " + vocab.get(token) + " and " + id,
                        null);
            }
            vocab.put(token, id);
            if (types[id] == CONTROL) {
                added.add(AddedToken.special(id, token).write());
            } else if (types[id] == USER_DEFINED) {
                added.add(AddedToken.plain(id, token).write());
            }
        }
        root.set("normalizer", split == Split.QWEN2 ? JSON.objectNode().put("type", "NFC") : JSON.nullNode());
        root.set("pre_tokenizer", preTokenizer(split));
        root.putNull("post_processor");
        root.set("decoder", byteLevel(true));
        ObjectNode bpe = root.putObject("model").put("type", "BPE").put("ignore_merges", split == Split.LLAMA3);
        bpe.set("vocab", vocab);
        bpe.set("merges", merges(source, fields));
        return new TokenizerJson(root, config(source, fields, tokens, split == Split.LLAMA3));
    }

    /** SentencePiece's merges, with bytes for what no piece covers. */
    private static TokenizerJson merged(String source, GgufFields fields) {
        List<String> tokens = fields.strings(KEY + "tokens");
        float[] scores = fields.floats(KEY + "scores");
        long[] types = fields.integers(KEY + "token_type");
        if (types.length != tokens.size() || scores.length != tokens.size()) {
            throw new FormatException(
                    source,
                    KEY + "token_type and " + KEY + "scores have " + types.length + " and " + scores.length
                            + " entries for " + tokens.size() + " tokens",
                    null);
        }
        List<SentencePiece.Piece> pieces = new ArrayList<>();
        for (int id = 0; id < types.length; id++) {
            pieces.add(new SentencePiece.Piece(tokens.get(id), scores[id], SentencePiece.Type.of(types[id], source)));
        }
        ObjectNode config = config(source, fields, tokens, true);
        long unknown = fields.integer(KEY + "unknown_token_id", -1);
        boolean prefix = fields.bool(KEY + "add_space_prefix", true);
        SentencePiece model = new SentencePiece(
                SentencePiece.Kind.BPE, pieces, true, (int) unknown, -1, -1, -1, new byte[0], prefix, false);
        return new TokenizerJson(SentencePieceVocabulary.plain(source, model, config), config);
    }

    private static ObjectNode preTokenizer(Split split) {
        ObjectNode first = switch (split) {
            case GPT2 -> null;
            case SMOLLM -> JSON.objectNode().put("type", "Digits").put("individual_digits", true);
            case LLAMA3 -> split(WORDS.formatted("\\p{N}{1,3}"));
            case QWEN2 -> split(WORDS.formatted("\\p{N}"));
        };
        if (first == null) {
            return byteLevel(true);
        }
        ObjectNode sequence = JSON.objectNode().put("type", "Sequence");
        sequence.putArray("pretokenizers").add(first).add(byteLevel(split == Split.SMOLLM));
        return sequence;
    }

    private static ObjectNode split(String regex) {
        ObjectNode split = JSON.objectNode()
                .put("type", "Split")
                .put("behavior", "Isolated")
                .put("invert", false);
        split.putObject("pattern").put("Regex", regex);
        return split;
    }

    private static ObjectNode byteLevel(boolean useRegex) {
        return JSON.objectNode()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", useRegex);
    }

    private static ArrayNode merges(String source, GgufFields fields) {
        ArrayNode merges = JSON.arrayNode();
        for (String merge : fields.strings(KEY + "merges")) {
            int space = merge.indexOf(' ', 1);
            if (space < 0 || space == merge.length() - 1) {
                throw new FormatException(
                        source, KEY + "merges has \"" + merge + "\", expected two tokens with a space between", null);
            }
            merges.addArray().add(merge.substring(0, space)).add(merge.substring(space + 1));
        }
        return merges;
    }

    private static ObjectNode config(String source, GgufFields fields, List<String> tokens, boolean addsBegin) {
        ObjectNode config = JSON.objectNode();
        Map<String, String> roles = Map.of(
                "bos", "bos_token",
                "eos", "eos_token",
                "unknown", "unk_token",
                "padding", "pad_token",
                "seperator", "sep_token", // so spelt in the format
                "cls", "cls_token",
                "mask", "mask_token");
        roles.forEach((ggml, role) -> {
            long id = fields.integer(KEY + ggml + "_token_id", -1);
            if (id >= tokens.size() || id < -1) {
                throw new FormatException(
                        source,
                        KEY + ggml + "_token_id is " + id + ", expected one of the " + tokens.size() + " tokens",
                        null);
            }
            if (id >= 0) {
                config.put(role, tokens.get((int) id));
            } else {
                config.putNull(role);
            }
        });
        config.put("add_bos_token", fields.bool(KEY + "add_bos_token", addsBegin));
        config.put("add_eos_token", fields.bool(KEY + "add_eos_token", false));
        return config;
    }
}
