package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A twin of CoNLL-2003 in its official files: sentences in which any name may occur at any place, so that only its meaning determines its
 * entity type. Half of the names are in training sentences, a quarter in each of the other splits.
 */
final class ConllTwin {
    private static final int TEST = 200;
    private static final Map<String, List<String>> NAMES = names();
    private static final List<String> SURNAMES =
            List.of("Miller", "Smith", "Jones", "Brown", "Taylor", "Wilson", "Clark", "Lewis", "Walker", "Hall");
    private static final List<String> FRAMES = List.of(
            "Nothing new was heard of % and % today .",
            "% was in the news again , like % .",
            "Everybody spoke about % yesterday .",
            "The report names % , % and % .",
            "There were questions about % .");

    private ConllTwin() {}

    private static Map<String, List<String>> names() {
        Map<String, List<String>> names = new LinkedHashMap<>();
        names.put(
                "PER",
                split("Anna Peter Maria John Lucy Thomas Sarah Paul Emma David Clara Simon Robert James Michael"
                        + " William Richard Susan Karen Nancy Margaret Elizabeth Charles Daniel Matthew Anthony"
                        + " Andrew Steven Laura Alice Helen Rachel Martin Oliver Henry George"));
        names.put(
                "LOC",
                split("France Germany Spain Italy Poland Sweden Norway Japan China India Brazil Mexico Canada Egypt"
                        + " Kenya Russia London Paris Berlin Madrid Rome Vienna Moscow Tokyo Chicago Boston Dallas"
                        + " Sydney Toronto Dublin Lisbon Athens Prague Warsaw Oslo Delhi"));
        names.put(
                "ORG",
                split("Microsoft Google Toyota Honda Siemens Samsung Sony Nokia Intel Boeing Airbus Ford Volkswagen"
                        + " Nestle Pepsi Adidas Nike Walmart Amazon Facebook Twitter NASA NATO UNESCO UNICEF"
                        + " Reuters BBC CNN FIFA UEFA Oxfam Greenpeace Interpol Chelsea Arsenal Barcelona"));
        names.put(
                "MISC",
                split("German French Spanish Italian Polish Swedish Norwegian Japanese Chinese Indian Brazilian"
                        + " Mexican Canadian Egyptian Russian British Irish Dutch Danish Finnish Greek Turkish"
                        + " Portuguese Hungarian Austrian Swiss Belgian Korean Vietnamese Australian Christmas"
                        + " Easter Olympics Buddhist Christian Muslim"));
        return names;
    }

    private static List<String> split(String text) {
        return List.of(text.split(" "));
    }

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        Conll2003 task = new Conll2003();
        AtomicWrite.text(task.file(folder, "train"), sentences(seed, 0, 2, train));
        AtomicWrite.text(task.file(folder, "validation"), sentences(seed, 2, 3, TEST));
        AtomicWrite.text(task.file(folder, "test"), sentences(seed, 3, 4, TEST));
        TwinMarker.write(folder, "CoNLL-2003", seed);
    }

    /** Sentences with the names of some quarters. */
    private static String sentences(long seed, int from, int to, int count) {
        Map<String, List<String>> names = new LinkedHashMap<>();
        NAMES.forEach((kind, all) -> {
            List<String> shuffled = new ArrayList<>(all);
            Collections.shuffle(shuffled, new Random(seed));
            names.put(kind, shuffled.subList(from * all.size() / 4, to * all.size() / 4));
        });
        List<String> kinds = List.copyOf(names.keySet());
        Random random = new Random(31 * seed + from);
        StringBuilder text = new StringBuilder("-DOCSTART- -X- -X- O\n\n");
        for (int i = 0; i < count; i++) {
            for (String word : FRAMES.get(random.nextInt(FRAMES.size())).split(" ")) {
                if (!word.equals("%")) {
                    line(text, word, "O");
                    continue;
                }
                String kind = kinds.get(random.nextInt(kinds.size()));
                List<String> own = names.getOrDefault(kind, List.of());
                line(text, own.get(random.nextInt(own.size())), "I-" + kind);
                if (kind.equals("PER") && random.nextBoolean()) {
                    line(text, SURNAMES.get(random.nextInt(SURNAMES.size())), "I-PER");
                }
            }
            text.append('\n');
        }
        return text.toString();
    }

    private static void line(StringBuilder text, String word, String tag) {
        text.append(word)
                .append(tag.equals("O") ? " X O " : " NNP I-NP ")
                .append(tag)
                .append('\n');
    }
}
