package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A twin of LAMA in its official files: the kind of thing that a word names, countries with their capitals, and for Google-RE the places
 * and years of birth and death of historical people. The facts are true, so that a pretrained masked language model may know them. Its
 * words, countries and people are those reserved for tests.
 */
final class LamaTwin {
    private static final List<String> CAPITALS = List.of(
            "France Paris",
            "Germany Berlin",
            "Italy Rome",
            "Spain Madrid",
            "Russia Moscow",
            "Japan Tokyo",
            "Egypt Cairo",
            "Greece Athens",
            "Austria Vienna",
            "Poland Warsaw",
            "Norway Oslo",
            "Hungary Budapest",
            "Portugal Lisbon",
            "Ireland Dublin",
            "Cuba Havana",
            "Sweden Stockholm",
            "Denmark Copenhagen",
            "Finland Helsinki",
            "China Beijing",
            "India Delhi",
            "Iran Tehran",
            "Iraq Baghdad",
            "Syria Damascus",
            "Turkey Ankara",
            "Belgium Brussels",
            "Romania Bucharest",
            "Serbia Belgrade",
            "Bulgaria Sofia",
            "Ukraine Kiev",
            "Latvia Riga",
            "Kenya Nairobi",
            "Peru Lima",
            "Canada Ottawa");

    /** A name, and then when and where they were born and where they died. */
    private static final List<String> PEOPLE = List.of(
            "Albert Einstein|1879|Ulm|Princeton",
            "Ludwig van Beethoven|1770|Bonn|Vienna",
            "Wolfgang Amadeus Mozart|1756|Salzburg|Vienna",
            "Franz Schubert|1797|Vienna|Vienna",
            "Johannes Brahms|1833|Hamburg|Vienna",
            "Antonio Vivaldi|1678|Venice|Vienna",
            "Johann Sebastian Bach|1685|Eisenach|Leipzig",
            "Felix Mendelssohn|1809|Hamburg|Leipzig",
            "Richard Wagner|1813|Leipzig|Venice",
            "Robert Schumann|1810|Zwickau|Bonn",
            "Gottfried Wilhelm Leibniz|1646|Leipzig|Hanover",
            "Johann Wolfgang von Goethe|1749|Frankfurt|Weimar",
            "Karl Marx|1818|Trier|London",
            "John Milton|1608|London|London",
            "William Blake|1757|London|London",
            "Mary Shelley|1797|London|London",
            "John Keats|1795|London|Rome",
            "Jane Austen|1775|Steventon|Winchester",
            "Charles Darwin|1809|Shrewsbury|Downe",
            "David Hume|1711|Edinburgh|Edinburgh",
            "Jonathan Swift|1667|Dublin|Dublin",
            "Oscar Wilde|1854|Dublin|Paris",
            "James Joyce|1882|Dublin|Zurich",
            "Benjamin Franklin|1706|Boston|Philadelphia",
            "Edgar Allan Poe|1809|Boston|Baltimore",
            "Voltaire|1694|Paris|Paris",
            "Edgar Degas|1834|Paris|Paris",
            "Claude Monet|1840|Paris|Giverny",
            "Marie Curie|1867|Warsaw|Passy",
            "Dante Alighieri|1265|Florence|Ravenna",
            "Niccolo Machiavelli|1469|Florence|Florence",
            "Marco Polo|1254|Venice|Venice",
            "Rembrandt|1606|Leiden|Amsterdam",
            "Niels Bohr|1885|Copenhagen|Copenhagen",
            "Hans Christian Andersen|1805|Odense|Copenhagen",
            "Alfred Nobel|1833|Stockholm|Sanremo");

    private LamaTwin() {}

    /** Writes it into an empty folder; it has as many facts as there are words. */
    static void write(Path folder, long seed) {
        write(folder, new TwinVocabulary(seed, true));
        TwinMarker.write(folder, "LAMA", seed);
    }

    /** Facts on some words. */
    static void write(Path folder, TwinVocabulary words) {
        AtomicWrite.text(
                folder.resolve("relations.jsonl"),
                lines(Stream.of(
                        relation("P31", "[X] is a [Y] .", "N-M"),
                        relation("P279", "[X] is a subclass of [Y] .", "N-1"),
                        relation("P36", "The capital of [X] is [Y] .", "1-1"),
                        relation("P1376", "[X] is the capital of [Y] .", "1-1"))));
        for (String relation : List.of("P31", "P279")) {
            facts(folder, "TREx/" + relation, kinds(words));
        }
        facts(folder, "TREx/P36", capitals(words).map(pair -> fact(pair[0], pair[1])));
        facts(folder, "TREx/P1376", capitals(words).map(pair -> fact(pair[1], pair[0])));
        people(folder, words, "date_of_birth", 1, "was born in the year");
        people(folder, words, "place_of_birth", 2, "was born in");
        people(folder, words, "place_of_death", 3, "died in");
        facts(folder, "ConceptNet/test", kinds(words).map(fact -> asked(fact, "Every %s is one kind of [MASK].")));
        facts(
                folder,
                "Squad/test",
                kinds(words)
                        .map(fact -> asked(
                                fact,
                                words.any(TwinVocabulary.PEOPLE)
                                        + " has a %s, and a %s is something that people call a " + Lama.MASK + ".")));
    }

    private static Stream<ObjectNode> kinds(TwinVocabulary words) {
        return words.kinds().stream().flatMap(kind -> words.all(kind).stream().map(thing -> fact(thing, kind)));
    }

    private static Stream<String[]> capitals(TwinVocabulary words) {
        return words.own(CAPITALS).stream().map(pair -> pair.split(" "));
    }

    /** A relation of Google-RE, each fact with what it was read in and what the judges said of it. */
    private static void people(Path folder, TwinVocabulary words, String relation, int place, String verb) {
        facts(
                folder,
                "Google_RE/" + relation + "_test",
                words.own(PEOPLE).stream().map(person -> {
                    String[] known = person.split("\\|");
                    ObjectNode fact = asked(fact(known[0], known[place]), "%s " + verb + " " + Lama.MASK + ".")
                            .put("pred", "/people/" + (place == 3 ? "deceased_person" : "person") + "/" + relation);
                    String sentence = known[0] + " " + verb + " " + known[place] + ".";
                    fact.putArray("evidences").addObject().put("snippet", sentence);
                    ArrayNode judgments = fact.putArray("judgments");
                    for (int rater = 1; rater <= 5; rater++) {
                        judgments.addObject().put("rater", "" + rater).put("judgment", "yes");
                    }
                    return fact;
                }));
    }

    private static ObjectNode relation(String name, String template, String type) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("relation", name)
                .put("template", template)
                .put("type", type);
    }

    private static ObjectNode fact(String subject, String object) {
        return JsonNodeFactory.instance.objectNode().put("sub_label", subject).put("obj_label", object);
    }

    private static ObjectNode asked(ObjectNode fact, String sentence) {
        String subject = fact.path("sub_label").asString();
        fact.putArray("masked_sentences").add(sentence.replace("%s", subject));
        return fact;
    }

    private static void facts(Path folder, String name, Stream<ObjectNode> facts) {
        AtomicWrite.text(folder.resolve(name + ".jsonl"), lines(facts));
    }

    private static String lines(Stream<ObjectNode> lines) {
        return lines.map(Json::compact).collect(Collectors.joining("\n")) + "\n";
    }
}
