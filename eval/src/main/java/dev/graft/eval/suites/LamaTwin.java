package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A twin of LAMA in its official files, without Google-RE, whose facts are of people: what kind of thing a word names, and countries with
 * their capitals. The facts are true, so that a model with a head for masked tokens may know them; its words are those kept for tests.
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

    private LamaTwin() {}

    /** Writes it into an empty folder; it has as many facts as there are words. */
    static void write(Path folder, long seed) {
        write(folder, new TwinWords(seed, true));
        TwinWords.mark(folder, "LAMA", seed);
    }

    /** Facts on some words. */
    static void write(Path folder, TwinWords words) {
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
        facts(folder, "ConceptNet/test", kinds(words).map(fact -> asked(fact, "Every %s is one kind of [MASK].")));
        facts(
                folder,
                "Squad/test",
                kinds(words)
                        .map(fact -> asked(
                                fact,
                                words.any(TwinWords.PEOPLE) + " has a %s, and a %s is something that people call a "
                                        + Lama.MASK + ".")));
    }

    private static Stream<ObjectNode> kinds(TwinWords words) {
        return words.kinds().stream().flatMap(kind -> words.all(kind).stream().map(thing -> fact(thing, kind)));
    }

    private static Stream<String[]> capitals(TwinWords words) {
        return words.own(CAPITALS).stream().map(pair -> pair.split(" "));
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
