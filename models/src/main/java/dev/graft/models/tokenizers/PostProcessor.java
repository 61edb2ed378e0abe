package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The special tokens around the texts: the {@code post_processor} of {@code tokenizer.json}. It runs here and not in
 * the native library, because truncation comes before it. In the native library truncation is a setting of the whole
 * tokenizer.
 *
 * @param trimOffsets whether offsets exclude the spaces at the ends of byte-level tokens
 * @param keepsFirstSpace whether the first token is exempt from that
 */
record PostProcessor(List<Piece> single, List<Piece> pair, boolean trimOffsets, boolean keepsFirstSpace) {

    /** An element of the template, with its segment id. */
    sealed interface Piece {
        int type();
    }

    record Text(int sequence, int type) implements Piece {}

    record Special(SpecialTokens.SpecialToken token, int type) implements Piece {}

    private static final List<Piece> PLAIN = List.of(new Text(0, 0));
    private static final List<Piece> PLAIN_PAIR = List.of(new Text(0, 0), new Text(1, 1));

    static PostProcessor read(String source, @Nullable JsonNode node) {
        if (node == null || node.isNull() || node.isMissingNode()) {
            return new PostProcessor(PLAIN, PLAIN_PAIR, false, false);
        }
        String type = node.path("type").asString("");
        return switch (type) {
            case "TemplateProcessing" ->
                new PostProcessor(template(source, node, "single"), template(source, node, "pair"), false, false);
            case "ByteLevel" ->
                new PostProcessor(
                        PLAIN,
                        PLAIN_PAIR,
                        node.path("trim_offsets").asBoolean(true),
                        node.path("add_prefix_space").asBoolean(true));
            case "BertProcessing" -> {
                Special cls = special(source, node, "cls", 0);
                Special sep = special(source, node, "sep", 0);
                yield new PostProcessor(
                        List.of(cls, new Text(0, 0), sep),
                        List.of(cls, new Text(0, 0), sep, new Text(1, 1), new Special(sep.token(), 1)),
                        false,
                        false);
            }
            case "RobertaProcessing" -> {
                Special cls = special(source, node, "cls", 0);
                Special sep = special(source, node, "sep", 0);
                yield new PostProcessor(
                        List.of(cls, new Text(0, 0), sep),
                        List.of(cls, new Text(0, 0), sep, sep, new Text(1, 0), sep),
                        node.path("trim_offsets").asBoolean(true),
                        node.path("add_prefix_space").asBoolean(true));
            }
            case "Sequence" -> sequence(source, node.path("processors"));
            default ->
                throw new FormatException(
                        source,
                        "post_processor.type is \"" + type
                                + "\", known are TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing,"
                                + " Sequence",
                        null);
        };
    }

    private static PostProcessor sequence(String source, JsonNode processors) {
        PostProcessor all = read(source, null);
        for (JsonNode node : processors) {
            PostProcessor next = read(source, node);
            boolean templated = !next.pair.equals(PLAIN_PAIR) || !next.single.equals(PLAIN);
            if (templated && (!all.pair.equals(PLAIN_PAIR) || !all.single.equals(PLAIN))) {
                throw new FormatException(
                        source, "post_processor has two templates in sequence, which is not supported", null);
            }
            all = new PostProcessor(
                    templated ? next.single : all.single,
                    templated ? next.pair : all.pair,
                    all.trimOffsets || next.trimOffsets,
                    next.trimOffsets ? next.keepsFirstSpace : all.keepsFirstSpace);
        }
        return all;
    }

    private static Special special(String source, JsonNode node, String key, int type) {
        JsonNode pair = node.path(key);
        String token = pair.path(0).asString("");
        return new Special(new SpecialTokens.SpecialToken(token, Vocabulary.id(source, token, pair.path(1))), type);
    }

    private static List<Piece> template(String source, JsonNode node, String key) {
        List<Piece> pieces = new ArrayList<>();
        for (JsonNode piece : node.path(key)) {
            JsonNode text = piece.path("Sequence");
            JsonNode special = piece.path("SpecialToken");
            if (text.isObject()) {
                pieces.add(new Text(
                        text.path("id").asString("").equals("B") ? 1 : 0,
                        text.path("type_id").asInt(0)));
            } else if (special.isObject()) {
                String name = special.path("id").asString("");
                JsonNode known = node.path("special_tokens").path(name);
                if (!known.isObject()
                        || known.path("ids").size() != known.path("tokens").size()) {
                    throw new FormatException(
                            source,
                            "post_processor." + key + " uses \"" + name
                                    + "\", which special_tokens does not define with its ids and tokens",
                            null);
                }
                for (int i = 0; i < known.path("ids").size(); i++) {
                    String token = known.path("tokens").path(i).asString("");
                    int id = Vocabulary.id(source, token, known.path("ids").path(i));
                    pieces.add(new Special(
                            new SpecialTokens.SpecialToken(token, id),
                            special.path("type_id").asInt(0)));
                }
            } else {
                throw new FormatException(source, "post_processor." + key + " has the unknown piece " + piece, null);
            }
        }
        requireTexts(source, key, pieces);
        return List.copyOf(pieces);
    }

    private static void requireTexts(String source, String key, List<Piece> pieces) {
        List<Integer> texts = pieces.stream()
                .filter(Text.class::isInstance)
                .map(piece -> ((Text) piece).sequence())
                .sorted()
                .toList();
        List<Integer> expected = key.equals("pair") ? List.of(0, 1) : List.of(0);
        if (!texts.equals(expected)) {
            throw new FormatException(
                    source,
                    "post_processor." + key + " must use "
                            + (key.equals("pair") ? "$A and $B once each" : "$A once and nothing else"),
                    null);
        }
    }

    /** The template for one text, or for two. */
    List<Piece> template(boolean pair) {
        return pair ? this.pair : single;
    }

    List<SpecialTokens.SpecialToken> added(boolean pair) {
        return template(pair).stream()
                .filter(Special.class::isInstance)
                .map(piece -> ((Special) piece).token())
                .toList();
    }

    /** @throws FormatException when a special token of the template is not the vocabulary's */
    void check(String source, Vocabulary vocabulary) {
        for (List<Piece> template : List.of(single, pair)) {
            for (Piece piece : template) {
                if (piece instanceof Special special
                        && !special.token()
                                .content()
                                .equals(vocabulary.token(special.token().id()))) {
                    throw new FormatException(
                            source,
                            "post_processor adds \"" + special.token().content() + "\" with id "
                                    + special.token().id() + ", but the vocabulary has \""
                                    + vocabulary.token(special.token().id()) + "\" there",
                            null);
                }
            }
        }
    }

    /** Joins the texts with the special tokens around them. */
    Encoding apply(List<TokenizedText> texts, boolean addSpecialTokens) {
        List<TokenizedText> trimmed =
                trimOffsets ? texts.stream().map(this::trim).toList() : texts;
        List<Piece> template = template(texts.size() == 2);
        int length = trimmed.stream().mapToInt(TokenizedText::length).sum();
        if (addSpecialTokens) {
            length += added(texts.size() == 2).size();
        }
        TokenizedText.Joiner joiner = new TokenizedText.Joiner(length);
        for (Piece piece : template) {
            if (piece instanceof Text text) {
                joiner.add(trimmed.get(text.sequence()), text.type(), text.sequence());
            } else if (piece instanceof Special special && addSpecialTokens) {
                joiner.addSpecial(special.token(), special.type());
            }
        }
        return joiner.finish();
    }

    private TokenizedText trim(TokenizedText tokens) {
        int[] starts = tokens.starts().clone();
        int[] ends = tokens.ends().clone();
        for (int i = 0; i < starts.length; i++) {
            String token = tokens.texts().get(i);
            int leading = 0;
            while (leading < token.length() && isSpace(token.charAt(leading))) {
                leading++;
            }
            int trailing = 0;
            while (trailing < token.length() && isSpace(token.charAt(token.length() - 1 - trailing))) {
                trailing++;
            }
            if (leading > 0 && !((i == 0 || starts[i] == 0) && keepsFirstSpace)) {
                starts[i] = Math.min(starts[i] + leading, ends[i]);
            }
            if (trailing > 0 && ends[i] >= trailing) {
                ends[i] = Math.max(ends[i] - trailing, starts[i]);
            }
        }
        return new TokenizedText(tokens.ids(), tokens.texts(), starts, ends, tokens.words());
    }

    private static boolean isSpace(char c) {
        return c == '\u0120' || Character.isWhitespace(c);
    }
}
