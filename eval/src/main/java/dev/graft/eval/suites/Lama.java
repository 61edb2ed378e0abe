package dev.graft.eval.suites;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A corpus of LAMA (Petroni et al., 2019): predicts the masked word of a sentence. P@1 and P@10 are means over relations, of which
 * ConceptNet and Squad count as one; P@1 also over the relations of each type (1-1, N-1, N-M) that the templates' file states. As in LAMA's
 * scripts, a fact is asked once for each template. Facts that more judges denied than affirmed, those without subject or object, sentences
 * of over a hundred words, and facts whose object isn't a single token of the model are left out. Only words of
 * {@code common_vocab_cased.txt} are admitted if that file exists.
 */
enum Lama implements SuiteTask {
    GOOGLE_RE("Google_RE") {
        @Override
        List<Path> facts(Path folder) {
            return Stream.of("date_of_birth", "place_of_birth", "place_of_death")
                    .map(relation -> folder.resolve(relation + "_test.jsonl"))
                    .filter(Files::exists)
                    .toList();
        }
    },
    TREX("TREx") {
        @Override
        List<Path> facts(Path folder) {
            return relations(folder).keySet().stream()
                    .map(relation -> folder.resolve(relation + ".jsonl"))
                    .filter(Files::exists)
                    .toList();
        }
    },
    CONCEPTNET("ConceptNet") {
        @Override
        List<Path> facts(Path folder) {
            return List.of(folder.resolve("test.jsonl"));
        }
    },
    SQUAD("Squad") {
        @Override
        List<Path> facts(Path folder) {
            return List.of(folder.resolve("test.jsonl"));
        }
    };

    /** The mask in the files. */
    static final String MASK = "[MASK]";

    /** Templates that LAMA's code has, not its files. */
    private static final Map<String, Relation> GOOGLE_RELATIONS = Map.of(
            "place_of_birth", new Relation("[X] was born in [Y] .", ""),
            "date_of_birth", new Relation("[X] (born [Y]).", ""),
            "place_of_death", new Relation("[X] died in [Y] .", ""));

    private static final ToDoubleFunction<Answer> FIRST = answer -> answer.value() == 1 ? 1 : 0;
    private static final int SHOWN = 10;

    /** Words of a sentence that is asked as it stands. */
    private static final int LONGEST = 100;

    private final String folder;

    Lama(String folder) {
        this.folder = folder;
    }

    abstract List<Path> facts(Path folder);

    @Override
    public String title() {
        return folder.toLowerCase(Locale.ROOT);
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.TOKEN;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("test");
    }

    @Override
    public @Nullable String trainSplit() {
        return null;
    }

    @Override
    public Path file(Path benchmark, String part) {
        return benchmark.resolve(folder);
    }

    /** The template of a relation's questions, and its type, empty where none is stated. */
    private record Relation(String template, String type) {}

    /** Returns the relations of the file beside the corpora, by name. */
    private static Map<String, Relation> relations(Path corpus) {
        Map<String, Relation> relations = new LinkedHashMap<>();
        OfficialLines.json(corpus.resolveSibling("relations.jsonl"), (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            relations.put(
                    fields.string("relation"), new Relation(fields.string("template"), fields.string("type", "")));
        });
        return relations;
    }

    @Override
    public List<Item> read(Path benchmark, String part) {
        Path corpus = file(benchmark, part);
        Map<String, Relation> relations =
                this == TREX ? relations(corpus) : this == GOOGLE_RE ? GOOGLE_RELATIONS : Map.of();
        List<Item> items = new ArrayList<>();
        for (Path file : facts(corpus)) {
            String relation =
                    Objects.requireNonNull(file.getFileName()).toString().replaceAll("(_test)?\\.jsonl$", "");
            Relation known = relations.get(relation);
            String template = known == null ? null : known.template;
            String type = known == null ? "" : known.type;
            Set<Item> asked = new HashSet<>();
            OfficialLines.json(file, (line, place, number) -> {
                Fields fact = Fields.of(place, line);
                if (!counts(fact)) {
                    return;
                }
                String text = text(fact, template);
                Item item = new Item(
                        new Row.Text(text, null, (Label) null), relation, type, List.of(fact.string("obj_label")));
                if (template == null ? text.split("\\s+").length <= LONGEST : asked.add(item)) {
                    items.add(item);
                }
            });
        }
        if (items.isEmpty()) {
            throw new FormatException(corpus, "has no facts");
        }
        return items;
    }

    /** Returns whether a fact names both its ends, and no more judges denied it than affirmed it. */
    private static boolean counts(Fields fact) {
        int denied = 0;
        for (JsonNode judgment : Objects.requireNonNullElse(fact.listOrNull("judgments"), List.<JsonNode>of())) {
            denied += judgment.path("judgment").asString("").equals("yes") ? -1 : 1;
        }
        return denied <= 0 && fact.has("sub_label") && fact.has("obj_label");
    }

    private static String text(Fields fact, @Nullable String template) {
        String text = template != null
                ? template.strip()
                        .replace("[X]", fact.string("sub_label").strip())
                        .replace("[Y]", MASK)
                : String.join(" ", fact.strings("masked_sentences"));
        if (!text.contains(MASK)) {
            throw new FormatException(fact.source(), "has the sentence \"" + text + "\" without " + MASK, null);
        }
        return text;
    }

    @Override
    public Predicate<String> answerFilter(Path benchmark) {
        Path file = benchmark.resolve("common_vocab_cased.txt");
        if (!Files.exists(file)) {
            return token -> true;
        }
        Set<String> words = new HashSet<>(OfficialLines.read(file));
        return words::contains;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("p@1", mean(answers, FIRST));
        values.put("p@10", mean(answers, answer -> answer.value() <= SHOWN ? 1 : 0));
        values.put("mrr", mean(answers, answer -> 1 / answer.value()));
        Map<String, List<Answer>> types = new TreeMap<>();
        for (Answer answer : answers) {
            types.computeIfAbsent(answer.item().kind(), kind -> new ArrayList<>())
                    .add(answer);
        }
        types.remove("");
        types.forEach((type, own) -> values.put("p@1_" + type, mean(own, FIRST)));
        return values;
    }

    /** Over relations, of the means over their facts. */
    private static double mean(List<Answer> answers, ToDoubleFunction<Answer> value) {
        return SuiteTask.groups(
                        answers.stream().filter(answer -> answer.value() > 0).toList())
                .values()
                .stream()
                .mapToDouble(
                        group -> group.stream().mapToDouble(value).average().orElse(Double.NaN))
                .average()
                .orElse(Double.NaN);
    }

    @Override
    public List<String> mainScores() {
        return List.of("p@1");
    }

    @Override
    public List<String> notes(List<Answer> answers) {
        long out = answers.stream().filter(answer -> answer.value() == 0).count();
        return out == 0
                ? List.of()
                : List.of(out + " of " + answers.size()
                        + " facts are left out: their object is no single token of the model, or no word that"
                        + " is admitted");
    }
}
