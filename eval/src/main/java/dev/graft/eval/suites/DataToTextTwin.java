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
 * Twins of E2E, WebNLG and DART in their official files: facts about a person, a thing and a place, to be expressed by a sentence whose
 * verb depends on the kind of thing (somebody plays a piano and eats a soup). The things of test rows are in no other row.
 */
final class DataToTextTwin {
    private static final int TEST = 200;

    /** The kind of things that WebNLG's training rows do not contain. */
    private static final String UNSEEN = "garment";

    private DataToTextTwin() {}

    /** Writes E2E's into an empty folder. */
    static void e2e(Path folder, long seed, int train) {
        for (String part : List.of("train", "validation", "test")) {
            StringBuilder csv = new StringBuilder("mr,ref\n");
            for (TwinEvent event : deeds(seed, part, train, TwinVocabulary::kind)) {
                for (String text : event.texts()) {
                    csv.append("\"name[" + event.person() + "], thing[" + event.thing() + "], area[" + event.place()
                            + "]\"," + text + "\n");
                }
            }
            AtomicWrite.text(DataToText.E2E.file(folder, part), csv.toString());
        }
        TwinMarker.write(folder, "E2E", seed);
    }

    /** Writes WebNLG's into an empty folder. */
    static void webNlg(Path folder, long seed, int train) {
        for (String part : List.of("train", "dev", "test")) {
            StringBuilder xml = new StringBuilder("<benchmark>\n<entries>\n");
            int number = 0;
            for (TwinEvent event :
                    deeds(seed, part, train, words -> part.equals("test") ? words.kind() : words.otherThan(UNSEEN))) {
                xml.append("<entry category=\"" + event.kind() + "\" eid=\"Id" + ++number + "\"><modifiedtripleset>");
                xml.append("<mtriple>" + event.person() + " | thing | " + event.thing() + "</mtriple>");
                xml.append("<mtriple>" + event.person() + " | place | " + event.place()
                        + "</mtriple></modifiedtripleset>");
                event.texts().forEach(text -> xml.append("<lex>" + text + "</lex>"));
                xml.append("</entry>\n");
            }
            AtomicWrite.text(
                    new WebNlg().file(folder, part).resolve("twin.xml"),
                    xml.append("</entries>\n</benchmark>\n").toString());
        }
        TwinMarker.write(folder, "WebNLG", seed);
    }

    /** Writes DART's into an empty folder. */
    static void dart(Path folder, long seed, int train) {
        for (String part : List.of("train", "validation", "test")) {
            ArrayNode entries = JsonNodeFactory.instance.arrayNode();
            for (TwinEvent event : deeds(seed, part, train, TwinVocabulary::kind)) {
                ObjectNode entry = entries.addObject();
                ArrayNode triples = entry.putArray("tripleset");
                triples.addArray().add(event.person()).add("THING").add(event.thing());
                triples.addArray().add(event.person()).add("PLACE").add(event.place());
                ArrayNode texts = entry.putArray("annotations");
                event.texts()
                        .forEach(text -> texts.addObject().put("source", "twin").put("text", text));
            }
            AtomicWrite.text(DataToText.DART.file(folder, part), Json.compact(entries) + "\n");
        }
        TwinMarker.write(folder, "DART", seed);
    }

    /** Returns the events of a part, none twice. Validation rows use the words of the training rows. */
    private static List<TwinEvent> deeds(long seed, String part, int train, Function<TwinVocabulary, String> kind) {
        boolean isTest = part.equals("test");
        int first = isTest || part.equals("train") ? 0 : train;
        int last = part.equals("train") ? train : first + TEST;
        TwinVocabulary words = new TwinVocabulary(seed, isTest);
        Set<TwinEvent> deeds = new LinkedHashSet<>();
        while (deeds.size() < last) {
            deeds.add(TwinEvent.of(kind.apply(words), words));
        }
        return List.copyOf(deeds).subList(first, last);
    }
}
