package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Twins of E2E, WebNLG and DART in their official files: who has which thing where, to be told by a sentence whose verb only what the thing
 * is gives (somebody plays a piano and eats a soup). The things of test rows are in no other row.
 */
final class DataToTextTwin {
    private static final int TEST = 200;

    /** What WebNLG's training rows don't speak of. */
    private static final String UNSEEN = "garment";

    private DataToTextTwin() {}

    /** Writes E2E's into an empty folder. */
    static void e2e(Path folder, long seed, int train) {
        for (String part : List.of("train", "validation", "test")) {
            StringBuilder csv = new StringBuilder("mr,ref\n");
            for (TwinDeed deed : deeds(seed, part, train, TwinWords::kind)) {
                for (String text : deed.texts()) {
                    csv.append("\"name[" + deed.person() + "], thing[" + deed.thing() + "], area[" + deed.place()
                            + "]\"," + text + "\n");
                }
            }
            AtomicWrite.text(DataToText.E2E.file(folder, part), csv.toString());
        }
        TwinWords.mark(folder, "E2E", seed);
    }

    /** Writes WebNLG's into an empty folder. */
    static void webNlg(Path folder, long seed, int train) {
        for (String part : List.of("train", "dev", "test")) {
            StringBuilder xml = new StringBuilder("<benchmark>\n<entries>\n");
            int number = 0;
            for (TwinDeed deed :
                    deeds(seed, part, train, words -> part.equals("test") ? words.kind() : words.otherThan(UNSEEN))) {
                xml.append("<entry category=\"" + deed.kind() + "\" eid=\"Id" + ++number + "\"><modifiedtripleset>");
                xml.append("<mtriple>" + deed.person() + " | thing | " + deed.thing() + "</mtriple>");
                xml.append(
                        "<mtriple>" + deed.person() + " | place | " + deed.place() + "</mtriple></modifiedtripleset>");
                deed.texts().forEach(text -> xml.append("<lex>" + text + "</lex>"));
                xml.append("</entry>\n");
            }
            AtomicWrite.text(
                    new WebNlg().file(folder, part).resolve("twin.xml"),
                    xml.append("</entries>\n</benchmark>\n").toString());
        }
        TwinWords.mark(folder, "WebNLG", seed);
    }

    /** Writes DART's into an empty folder. */
    static void dart(Path folder, long seed, int train) {
        for (String part : List.of("train", "validation", "test")) {
            ArrayNode entries = JsonNodeFactory.instance.arrayNode();
            for (TwinDeed deed : deeds(seed, part, train, TwinWords::kind)) {
                ObjectNode entry = entries.addObject();
                ArrayNode triples = entry.putArray("tripleset");
                triples.addArray().add(deed.person()).add("THING").add(deed.thing());
                triples.addArray().add(deed.person()).add("PLACE").add(deed.place());
                ArrayNode texts = entry.putArray("annotations");
                deed.texts()
                        .forEach(text -> texts.addObject().put("source", "twin").put("text", text));
            }
            AtomicWrite.text(DataToText.DART.file(folder, part), Json.compact(entries) + "\n");
        }
        TwinWords.mark(folder, "DART", seed);
    }

    /** Those of a part, none twice; what validates is of the words of the training rows. */
    private static List<TwinDeed> deeds(long seed, String part, int train, Function<TwinWords, String> kind) {
        boolean isTest = part.equals("test");
        int first = isTest || part.equals("train") ? 0 : train;
        int last = part.equals("train") ? train : first + TEST;
        TwinWords words = new TwinWords(seed, isTest);
        Set<TwinDeed> deeds = new LinkedHashSet<>();
        while (deeds.size() < last) {
            deeds.add(TwinDeed.of(kind.apply(words), words));
        }
        return List.copyOf(deeds).subList(first, last);
    }
}
