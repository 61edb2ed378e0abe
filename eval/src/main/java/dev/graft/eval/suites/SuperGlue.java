package dev.graft.eval.suites;

import dev.graft.eval.metrics.Accuracy;
import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.PrecisionRecallF1;
import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The eight tasks of SuperGLUE (Wang et al., 2019). Questions with choices are rows of {@link #YES} and {@link #NO}, one for each choice;
 * where exactly one is right the most probable one is chosen.
 */
enum SuperGlue implements SuiteTask {
    BOOLQ("BoolQ", List.of("false", "true")) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            return pair(text(line, "question", place), text(line, "passage", place), line, place);
        }
    },
    CB("CB", List.of("contradiction", "entailment", "neutral")) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            return pair(text(line, "premise", place), text(line, "hypothesis", place), line, place);
        }

        @Override
        public Map<String, Double> score(List<Answer> answers) {
            PrecisionRecallF1 macro = new PrecisionRecallF1(classes.size(), Average.MACRO);
            answers.forEach(answer -> macro.update(prediction(answer)));
            return ordered("accuracy", accuracy(answers), "macro_f1", macro.value());
        }
    },
    COPA("COPA", List.of(NO, YES)) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            String asked =
                    text(line, "question", place).equals("cause") ? "What was the cause?" : "What happened then?";
            int right = OfficialLines.oneOf(text(line, "label", place), Set.of("0", "1"), "label", place)
                            .equals("1")
                    ? 1
                    : 0;
            List<Item> items = new ArrayList<>();
            for (int choice = 0; choice < 2; choice++) {
                String text = text(line, "choice" + (choice + 1), place);
                items.add(choice(text(line, "premise", place) + " " + asked, text, choice == right, number));
            }
            return items;
        }

        @Override
        public Map<String, Double> score(List<Answer> answers) {
            long right = SuiteTask.groups(answers).values().stream()
                    .filter(group -> gold(best(group)).equals(YES))
                    .count();
            return Map.of("accuracy", (double) right / SuiteTask.groups(answers).size());
        }
    },
    RTE("RTE", List.of("entailment", "not_entailment")) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            return pair(text(line, "premise", place), text(line, "hypothesis", place), line, place);
        }
    },
    WIC("WiC", List.of("false", "true")) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            return pair(
                    text(line, "word", place) + ": " + text(line, "sentence1", place),
                    text(line, "sentence2", place),
                    line,
                    place);
        }
    },
    WSC("WSC", List.of("false", "true")) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            JsonNode target = line.path("target");
            String asked = text(target, "span2_text", place) + " is " + text(target, "span1_text", place);
            return pair(text(line, "text", place), asked, line, place);
        }
    },
    MULTIRC("MultiRC", List.of(NO, YES)) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            JsonNode passage = line.path("passage");
            List<Item> items = new ArrayList<>();
            int question = 0;
            for (JsonNode asked : passage.path("questions")) {
                for (JsonNode answer : asked.path("answers")) {
                    String pair = text(asked, "question", place) + " " + text(answer, "text", place);
                    boolean right = text(answer, "label", place).equals("1");
                    Item item = choice(text(passage, "text", place), pair, right, number);
                    items.add(new Item(item.row(), number + "/" + question, List.of()));
                }
                question++;
            }
            return items;
        }

        /** F1 over all answers, and how many questions have every answer right. */
        @Override
        public Map<String, Double> score(List<Answer> answers) {
            PrecisionRecallF1 f1 = new PrecisionRecallF1(2, Average.BINARY);
            answers.forEach(answer -> f1.update(prediction(answer)));
            Map<String, List<Answer>> groups = SuiteTask.groups(answers);
            long whole = groups.values().stream()
                    .filter(group ->
                            group.stream().allMatch(answer -> gold(answer).equals(answer.label())))
                    .count();
            return ordered("f1_a", f1.value(), "exact_match", (double) whole / groups.size());
        }
    },
    RECORD("ReCoRD", List.of(NO, YES)) {
        @Override
        List<Item> items(JsonNode line, String place, int number) {
            JsonNode passage = line.path("passage");
            String text = text(passage, "text", place);
            Set<String> entities = new LinkedHashSet<>();
            for (JsonNode entity : passage.path("entities")) {
                int start = entity.path("start").asInt(-1);
                int end = entity.path("end").asInt(-1) + 1;
                if (start < 0 || end <= start || end > text.codePointCount(0, text.length())) {
                    throw new FormatException(place, "has an entity outside its passage", null);
                }
                entities.add(text.substring(text.offsetByCodePoints(0, start), text.offsetByCodePoints(0, end)));
            }
            List<Item> items = new ArrayList<>();
            int asked = 0;
            for (JsonNode question : line.path("qas")) {
                List<String> gold = question.path("answers")
                        .valueStream()
                        .map(answer -> text(answer, "text", place))
                        .distinct()
                        .toList();
                for (String entity : entities) {
                    String filled = text(question, "query", place).replace("@placeholder", entity);
                    Item item = choice(text, filled, gold.contains(entity), number);
                    List<String> all = new ArrayList<>(List.of(entity));
                    all.addAll(gold);
                    items.add(new Item(item.row(), number + "/" + asked, all));
                }
                asked++;
            }
            return items;
        }

        /** Scores the entity chosen for each question, as SQuAD's script counts. */
        @Override
        public Map<String, Double> score(List<Answer> answers) {
            SquadScore score = new SquadScore();
            SuiteTask.groups(answers).values().forEach(group -> {
                List<String> gold = best(group).item().gold();
                score.update(new TextPrediction(gold.get(0), gold.subList(1, gold.size())));
            });
            Map<String, Double> values = score.values();
            return ordered(
                    "f1",
                    Objects.requireNonNull(values.get("f1")) / 100,
                    "exact_match",
                    Objects.requireNonNull(values.get("exact_match")) / 100);
        }
    };

    final String folder;
    final List<String> classes;

    SuperGlue(String folder, List<String> classes) {
        this.folder = folder;
        this.classes = classes;
    }

    abstract List<Item> items(JsonNode line, String place, int number);

    @Override
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.CLASS;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("val");
    }

    @Override
    public Path file(Path benchmark, String part) {
        return benchmark.resolve(folder).resolve(part + ".jsonl");
    }

    @Override
    public List<Item> read(Path benchmark, String part) {
        List<Item> items = new ArrayList<>();
        OfficialLines.json(file(benchmark, part), (line, place, number) -> items.addAll(items(line, place, number)));
        if (items.isEmpty()) {
            throw new FormatException(file(benchmark, part), "has no rows");
        }
        return items;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        return Map.of("accuracy", accuracy(answers));
    }

    static String text(JsonNode json, String name, String place) {
        JsonNode value = json.path(name);
        if (!value.isValueNode() || value.isNull()) {
            throw new FormatException(place, "has no " + name, null);
        }
        return value.asString();
    }

    List<Item> pair(String text, String pair, JsonNode line, String place) {
        String label = text(line, "label", place);
        if (!classes.contains(label)) {
            throw new FormatException(place, "label is \"" + label + "\", expected one of " + classes, null);
        }
        return List.of(new Item(new Row.Text(text, pair, new Label.One(label))));
    }

    static Item choice(String text, String choice, boolean isRight, int group) {
        return new Item(
                new Row.Text(text, choice, new Label.One(isRight ? YES : NO)), Integer.toString(group), List.of());
    }

    static String gold(Answer answer) {
        return ((Label.One) Objects.requireNonNull(answer.item().row().label())).name();
    }

    ClassPrediction prediction(Answer answer) {
        return new ClassPrediction(classes.indexOf(gold(answer)), classes.indexOf(answer.label()));
    }

    double accuracy(List<Answer> answers) {
        Accuracy accuracy = new Accuracy();
        answers.forEach(answer -> accuracy.update(prediction(answer)));
        return accuracy.value();
    }

    /** The choice that is most probably right, the first of equals. */
    static Answer best(List<Answer> group) {
        Answer best = group.get(0);
        for (Answer answer : group) {
            best = answer.value() > best.value() ? answer : best;
        }
        return best;
    }

    static Map<String, Double> ordered(String first, double a, String second, double b) {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put(first, a);
        values.put(second, b);
        return values;
    }
}
