package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import dev.graft.formats.SentencePiece;
import dev.graft.formats.SentencePiece.Piece;
import dev.graft.formats.SentencePiece.Type;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A SentencePiece model as the {@code tokenizer.json} that transformers converts it to. It has the pieces by their ids,
 * merges in the order of their scores, and spaces as U+2581. The class that {@code tokenizer_config.json} names
 * determines the special tokens around a text.
 */
final class SentencePieceVocabulary {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String SPACE = "\u2581";

    private final String source;
    private final SentencePiece model;
    private final List<Piece> pieces;
    private final int unknown;

    private SentencePieceVocabulary(String source, SentencePiece model, List<Piece> pieces, int unknown) {
        this.source = source;
        this.model = model;
        this.pieces = pieces;
        this.unknown = unknown;
    }

    /**
     * Returns the content of tokenizer.json; {@code config} receives the tokens that the class adds at the beginnings
     * and ends of texts.
     */
    static ObjectNode read(String source, SentencePiece model, ObjectNode config) {
        String name =
                config.path("tokenizer_class").asString("PreTrainedTokenizer").replaceFirst("Fast$", "");
        return switch (name) {
            case "XLMRobertaTokenizer" -> roberta(source, model, config);
            case "T5Tokenizer" -> t5(source, model, config);
            case "DebertaV2Tokenizer" -> deberta(source, model, config);
            case "LlamaTokenizer", "GemmaTokenizer", "CodeLlamaTokenizer" -> {
                if (!config.has("add_bos_token")) {
                    config.put("add_bos_token", true);
                }
                yield plain(source, model, config);
            }
            case "PreTrainedTokenizer" -> plain(source, model, config);
            default ->
                throw new FormatException(
                        source,
                        "tokenizer_config.json names the class " + name
                                + ", whose way with a SentencePiece model isn't known (known: XLMRobertaTokenizer,"
                                + " T5Tokenizer, DebertaV2Tokenizer, LlamaTokenizer, GemmaTokenizer); give its"
                                + " tokenizer.json instead",
                        null);
        };
    }

    /** Returns the pieces unchanged, without special tokens around a text. */
    static ObjectNode plain(String source, SentencePiece model, ObjectNode config) {
        role(config, "unk_token", model, model.unknown());
        role(config, "bos_token", model, model.begin());
        role(config, "eos_token", model, model.end());
        role(config, "pad_token", model, model.padding());
        return new SentencePieceVocabulary(source, model, model.pieces(), model.unknown()).tokenizer();
    }

    private static void role(ObjectNode config, String role, SentencePiece model, int id) {
        if (id >= 0) {
            role(config, role, model.pieces().get(id).text());
        }
    }

    private static void role(ObjectNode config, String role, String token) {
        if (!config.has(role)) {
            config.put(role, token);
        }
    }

    /** Four tokens of its own in place of the model's first three, and a mask behind all. */
    private static ObjectNode roberta(String source, SentencePiece model, ObjectNode config) {
        List<Piece> pieces = new ArrayList<>();
        for (String special : List.of("<s>", "<pad>", "</s>", "<unk>")) {
            pieces.add(new Piece(special, 0, Type.CONTROL));
        }
        pieces.addAll(model.pieces()
                .subList(Math.min(3, model.pieces().size()), model.pieces().size()));
        pieces.add(new Piece("<mask>", 0, Type.CONTROL));
        return robertaLayout(source, model, pieces, config);
    }

    /** Pieces that are in the order of XLM-R's ids already. */
    static ObjectNode robertaLayout(String source, SentencePiece model, List<Piece> pieces, ObjectNode config) {
        for (String begin : List.of("bos_token", "cls_token")) {
            role(config, begin, "<s>");
        }
        for (String end : List.of("eos_token", "sep_token")) {
            role(config, end, "</s>");
        }
        role(config, "unk_token", "<unk>");
        role(config, "pad_token", "<pad>");
        role(config, "mask_token", "<mask>");
        ObjectNode root = new SentencePieceVocabulary(source, model, pieces, 3).tokenizer();
        return around(
                root,
                source,
                pieces,
                List.of("<s>", "$A", "</s>"),
                List.of("<s>", "$A", "</s>", "</s>", "$B", "</s>"),
                false);
    }

    private static ObjectNode t5(String source, SentencePiece model, ObjectNode config) {
        role(config, "eos_token", "</s>");
        role(config, "unk_token", "<unk>");
        role(config, "pad_token", "<pad>");
        int extra = config.path("extra_ids").asInt(100);
        List<Piece> pieces = new ArrayList<>(model.pieces());
        for (int i = extra - 1; i >= 0; i--) {
            pieces.add(new Piece("<extra_id_" + i + ">", 0, Type.CONTROL));
        }
        ObjectNode root = new SentencePieceVocabulary(source, model, pieces, model.unknown()).tokenizer();
        return around(root, source, pieces, List.of("$A", "</s>"), List.of("$A", "</s>", "$B", "</s>"), false);
    }

    private static ObjectNode deberta(String source, SentencePiece model, ObjectNode config) {
        for (String role : List.of("cls", "sep", "unk", "pad", "mask")) {
            role(config, role + "_token", "[" + role.toUpperCase(Locale.ROOT) + "]");
        }
        List<Piece> pieces = new ArrayList<>(model.pieces());
        if (pieces.stream().noneMatch(piece -> piece.text().equals("[MASK]"))) {
            pieces.add(new Piece("[MASK]", 0, Type.CONTROL));
        }
        ObjectNode root = new SentencePieceVocabulary(source, model, pieces, model.unknown()).tokenizer();
        return around(
                root,
                source,
                pieces,
                List.of("[CLS]", "$A", "[SEP]"),
                List.of("[CLS]", "$A", "[SEP]", "$B", "[SEP]"),
                true);
    }

    private ObjectNode tokenizer() {
        ObjectNode root = JSON.objectNode();
        Set<String> seen = new HashSet<>();
        ArrayNode added = root.putArray("added_tokens");
        for (int id = 0; id < pieces.size(); id++) {
            Piece piece = pieces.get(id);
            if (!seen.add(piece.text())) {
                throw new FormatException(source, "has the piece \"" + piece.text() + "\" twice", null);
            }
            if (piece.type() == Type.CONTROL || piece.type() == Type.UNKNOWN) {
                added.add(AddedToken.special(id, piece.text()).write());
            } else if (piece.type() == Type.USER_DEFINED) {
                added.add(AddedToken.plain(id, piece.text()).write());
            }
        }
        boolean bpe = model.kind() == SentencePiece.Kind.BPE;
        root.set("normalizer", sequence("normalizers", normalizers(bpe)));
        root.set("pre_tokenizer", bpe ? JSON.nullNode() : metaspace());
        root.putNull("post_processor");
        root.set("decoder", bpe ? sequence("decoders", decoders()) : metaspace());
        root.set("model", bpe ? bpe() : unigram());
        return root;
    }

    private List<ObjectNode> normalizers(boolean bpe) {
        List<ObjectNode> steps = new ArrayList<>();
        if (model.normaliser().length > 0) {
            steps.add(step("Precompiled")
                    .put("precompiled_charsmap", Base64.getEncoder().encodeToString(model.normaliser())));
        }
        if (model.singleSpaces()) {
            steps.add(replace("Regex", "\\A +| +\\z", ""));
            steps.add(replace("Regex", " {2,}", " "));
        }
        if (bpe) {
            if (model.dummyPrefix()) {
                steps.add(step("Prepend").put("prepend", SPACE));
            }
            steps.add(replace("String", " ", SPACE));
        }
        return steps;
    }

    private List<ObjectNode> decoders() {
        List<ObjectNode> steps =
                new ArrayList<>(List.of(replace("String", SPACE, " "), step("ByteFallback"), step("Fuse")));
        if (model.dummyPrefix()) {
            steps.add(step("Strip").put("content", " ").put("start", 1).put("stop", 0));
        }
        return steps;
    }

    private ObjectNode metaspace() {
        return step("Metaspace")
                .put("replacement", SPACE)
                .put("prepend_scheme", model.dummyPrefix() ? "always" : "never")
                .put("split", true);
    }

    private ObjectNode unigram() {
        ObjectNode unigram = step("Unigram").put("unk_id", unknown).put("byte_fallback", model.byteFallback());
        ArrayNode vocab = unigram.putArray("vocab");
        for (Piece piece : pieces) {
            vocab.addArray().add(piece.text()).add((double) piece.score());
        }
        return unigram;
    }

    private ObjectNode bpe() {
        ObjectNode bpe = step("BPE")
                .put("unk_token", unknown < 0 ? null : pieces.get(unknown).text())
                .put("fuse_unk", true)
                .put("byte_fallback", model.byteFallback());
        ObjectNode vocab = bpe.putObject("vocab");
        for (int id = 0; id < pieces.size(); id++) {
            vocab.put(pieces.get(id).text(), id);
        }
        bpe.set("merges", merges());
        return bpe;
    }

    /** Returns every way to join two pieces into a third, the pieces with the highest scores first. */
    private ArrayNode merges() {
        List<Piece> normal = new ArrayList<>();
        Set<String> texts = new HashSet<>();
        for (Piece piece : pieces) {
            if (piece.type() == Type.NORMAL) {
                normal.add(piece);
                texts.add(piece.text());
            }
        }
        normal.sort(Comparator.comparingDouble(piece -> -piece.score()));
        ArrayNode merges = JSON.arrayNode();
        for (Piece piece : normal) {
            String text = piece.text();
            for (int at = text.offsetByCodePoints(0, 1); at < text.length(); at = text.offsetByCodePoints(at, 1)) {
                String left = text.substring(0, at);
                String right = text.substring(at);
                if (texts.contains(left) && texts.contains(right)) {
                    merges.addArray().add(left).add(right);
                }
            }
        }
        return merges;
    }

    private static ObjectNode around(
            ObjectNode root, String source, List<Piece> pieces, List<String> single, List<String> pair, boolean types) {
        ObjectNode template = step("TemplateProcessing");
        ObjectNode specials = JSON.objectNode();
        template.set("single", pattern(source, pieces, single, types, specials));
        template.set("pair", pattern(source, pieces, pair, types, specials));
        template.set("special_tokens", specials);
        root.set("post_processor", template);
        return root;
    }

    /** @param types whether the second text and what is behind it has type 1 */
    private static ArrayNode pattern(
            String source, List<Piece> pieces, List<String> parts, boolean types, ObjectNode specials) {
        ArrayNode pattern = JSON.arrayNode();
        int type = 0;
        for (String part : parts) {
            type = types && part.equals("$B") ? 1 : type;
            if (part.startsWith("$")) {
                pattern.addObject()
                        .putObject("Sequence")
                        .put("id", part.substring(1))
                        .put("type_id", type);
            } else {
                pattern.addObject().putObject("SpecialToken").put("id", part).put("type_id", type);
                ObjectNode special = specials.putObject(part).put("id", part);
                special.putArray("ids").add(id(source, pieces, part));
                special.putArray("tokens").add(part);
            }
        }
        return pattern;
    }

    private static int id(String source, List<Piece> pieces, String text) {
        for (int id = 0; id < pieces.size(); id++) {
            if (pieces.get(id).text().equals(text)) {
                return id;
            }
        }
        throw new FormatException(source, "has no piece \"" + text + "\", which stands around texts", null);
    }

    static ObjectNode sequence(String name, List<ObjectNode> steps) {
        ObjectNode sequence = step("Sequence");
        ArrayNode list = sequence.putArray(name);
        steps.forEach(list::add);
        return sequence;
    }

    static ObjectNode replace(String kind, String pattern, String content) {
        ObjectNode replace = step("Replace");
        replace.putObject("pattern").put(kind, pattern);
        return replace.put("content", content);
    }

    static ObjectNode step(String type) {
        return JSON.objectNode().put("type", type);
    }
}
