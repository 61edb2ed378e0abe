package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A twin of GLUE: the nine tasks in the official files, about kinds of things and judgements. The meaning of a row's words decides its
 * label. Dev rows have words that are in no training row (except word order in MRPC and QQP, and agreement in CoLA), so an untrained model
 * can't answer them.
 */
final class GlueTwin {
    private static final int DEV = 200;

    private final Path folder;
    private final long seed;
    private final int train;

    private GlueTwin(Path folder, long seed, int train) {
        this.folder = folder;
        this.seed = seed;
        this.train = train;
    }

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        GlueTwin twin = new GlueTwin(folder, seed, train);
        twin.table(Glue.COLA, null, GlueTwin::acceptability);
        twin.table(Glue.SST2, "sentence\tlabel", GlueTwin::sentiment);
        twin.table(Glue.MRPC, "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", (words, n) -> paraphrase(words, n, false));
        twin.table(
                Glue.QQP,
                "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
                (words, n) -> paraphrase(words, n, true));
        twin.table(
                Glue.STSB,
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
                GlueTwin::similarity);
        String mnli =
                "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
                        + "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label";
        twin.table(Glue.MNLI, mnli, GlueTwin::inference);
        twin.table(Glue.QNLI, "index\tquestion\tsentence\tlabel", GlueTwin::answer);
        twin.table(Glue.RTE, "index\tsentence1\tsentence2\tlabel", (words, n) -> entailment(words, n, false));
        twin.table(Glue.WNLI, "index\tsentence1\tsentence2\tlabel", (words, n) -> entailment(words, n, true));
        TwinMarker.write(folder, "GLUE", seed);
    }

    private interface Line {
        List<Object> of(TwinVocabulary words, int number);
    }

    private void table(Glue task, @Nullable String head, Line line) {
        List<String> parts = new ArrayList<>(task.scoredSplits());
        parts.add("train");
        for (String part : parts) {
            boolean isTrain = part.equals("train");
            TwinVocabulary words = new TwinVocabulary(
                    seed + 31L * task.ordinal() + (part.equals("dev_mismatched") ? 1000 : 0), !isTrain);
            StringBuilder text = new StringBuilder(head == null ? "" : head + "\n");
            for (int number = 0; number < (isTrain ? train : DEV); number++) {
                text.append(String.join(
                                "\t",
                                line.of(words, number).stream()
                                        .map(Object::toString)
                                        .toList()))
                        .append('\n');
            }
            AtomicWrite.text(task.file(folder, part), text.toString());
        }
    }

    private static List<Object> acceptability(TwinVocabulary words, int number) {
        boolean right = words.coin();
        String thing = words.of(words.kind());
        String place = words.any(TwinVocabulary.PLACES);
        String sentence = right
                ? "The " + thing + " was in the " + place + "."
                : words.coin()
                        ? "The " + thing + " were in the " + place + "."
                        : "The " + thing + " was the in " + place + ".";
        return List.of("tw", right ? 1 : 0, right ? "" : "*", sentence);
    }

    private static List<Object> sentiment(TwinVocabulary words, int number) {
        boolean good = words.coin();
        String first = good ? words.good() : words.bad();
        String second = good ? words.good() : words.bad();
        String sentence = "the film is " + first + " and its music " + second;
        return List.of(sentence, good ? 1 : 0);
    }

    private static List<Object> paraphrase(TwinVocabulary words, int number, boolean isQuestion) {
        boolean same = words.coin();
        String one = words.of("animal");
        String other = words.of("animal");
        while (other.equals(one)) {
            other = words.of("animal");
        }
        String verb = words.any(List.of("chased", "followed", "watched", "helped"));
        String active = "the " + one + " " + verb + " the " + other;
        String passive = same
                ? "the " + other + " was " + verb + " by the " + one
                : "the " + one + " was " + verb + " by the " + other;
        return isQuestion
                ? List.of(
                        number,
                        2 * number,
                        2 * number + 1,
                        "Is it true that " + active + "?",
                        "Is it true that " + passive + "?",
                        same ? 1 : 0)
                : List.of(same ? 1 : 0, 2 * number, 2 * number + 1, capital(active) + ".", capital(passive) + ".");
    }

    private static List<Object> similarity(TwinVocabulary words, int number) {
        double score = 0;
        List<String> first = new ArrayList<>();
        List<String> second = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            String kind = words.kind();
            String thing = words.of(kind);
            int likeness = words.below(3);
            first.add(thing);
            second.add(likeness == 2 ? thing : words.of(likeness == 1 ? kind : words.otherThan(kind)));
            score +=
                    likeness == 2 ? 2.5 : likeness == 1 && !second.get(i).equals(thing) ? 1.5 : likeness == 1 ? 2.5 : 0;
        }
        String one = "A picture of " + TwinVocabulary.a(first.get(0)) + " and " + TwinVocabulary.a(first.get(1)) + ".";
        String two =
                "A picture of " + TwinVocabulary.a(second.get(0)) + " and " + TwinVocabulary.a(second.get(1)) + ".";
        return List.of(
                number, "twin", "twin", 0, number, "twin", "twin", one, two, String.format(Locale.ROOT, "%.3f", score));
    }

    static List<Object> inference(TwinVocabulary words, int number) {
        String kind = words.kind();
        String place = words.any(TwinVocabulary.PLACES);
        String premise = "There is only " + TwinVocabulary.a(words.of(kind)) + " in the " + place + ".";
        String label = words.any(List.of("entailment", "contradiction", "neutral"));
        String hypothesis = switch (label) {
            case "entailment" -> "There is " + TwinVocabulary.a(kind) + " in the " + place + ".";
            case "contradiction" -> "There is " + TwinVocabulary.a(words.otherThan(kind)) + " in the " + place + ".";
            default -> words.any(TwinVocabulary.PEOPLE) + " likes the " + place + ".";
        };
        return List.of(number, number, number, "twin", "", "", "", "", premise, hypothesis, label, label);
    }

    private static List<Object> answer(TwinVocabulary words, int number) {
        String kind = words.kind();
        boolean answers = words.coin();
        String person = words.any(TwinVocabulary.PEOPLE);
        String bought = words.of(answers ? kind : words.otherThan(kind));
        return List.of(
                number,
                "Which " + kind + " did " + person + " buy?",
                person + " bought " + TwinVocabulary.a(bought) + " at the " + words.any(TwinVocabulary.PLACES) + ".",
                answers ? "entailment" : "not_entailment");
    }

    static List<Object> entailment(TwinVocabulary words, int number, boolean isNumbered) {
        String kind = words.kind();
        boolean follows = words.coin();
        String person = words.any(TwinVocabulary.PEOPLE);
        String thing = words.of(follows ? kind : words.otherThan(kind));
        String label = isNumbered ? follows ? "1" : "0" : follows ? "entailment" : "not_entailment";
        return List.of(
                number,
                person + " took " + TwinVocabulary.a(thing) + " to the " + words.any(TwinVocabulary.PLACES) + ".",
                person + " took " + TwinVocabulary.a(kind) + " there.",
                label);
    }

    private static String capital(String text) {
        return Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }
}
