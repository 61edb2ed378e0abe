package dev.graft.eval.suites;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A task of BIG-Bench Hard (Suzgun et al., 2022), zero-shot. If a question has options, the most probable one is the answer; otherwise the
 * answer is generated and must match exactly.
 *
 * @param fixed the options of questions that don't list them; empty if they do, or if the answer is generated
 */
record Bbh(String title, List<String> fixed, boolean isWritten) implements SuiteTask {
    private static final Pattern LISTED = Pattern.compile("(?m)^(?:(\\([A-Z]\\)).*|- *(\\S.*?) *)$");

    /** The 27 tasks. */
    static List<SuiteTask> all() {
        List<SuiteTask> tasks = new ArrayList<>();
        Stream.of("causal_judgement date_understanding disambiguation_qa formal_fallacies geometric_shapes hyperbaton"
                        + " logical_deduction_five_objects logical_deduction_seven_objects"
                        + " logical_deduction_three_objects movie_recommendation navigate penguins_in_a_table"
                        + " reasoning_about_colored_objects ruin_names salient_translation_error_detection snarks"
                        + " temporal_sequences tracking_shuffled_objects_five_objects"
                        + " tracking_shuffled_objects_seven_objects tracking_shuffled_objects_three_objects")
                .flatMap(names -> Stream.of(names.split(" ")))
                .forEach(name -> tasks.add(new Bbh(name, List.of(), false)));
        tasks.add(new Bbh("boolean_expressions", List.of("True", "False"), false));
        tasks.add(new Bbh("sports_understanding", List.of("yes", "no"), false));
        tasks.add(new Bbh("web_of_lies", List.of("Yes", "No"), false));
        Stream.of("dyck_languages", "multistep_arithmetic_two", "object_counting", "word_sorting")
                .forEach(name -> tasks.add(new Bbh(name, List.of(), true)));
        return List.copyOf(tasks);
    }

    @Override
    public SuiteQuestion question() {
        return isWritten ? SuiteQuestion.TEXT : SuiteQuestion.CHOICE;
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
    public Path file(Path folder, String part) {
        Path inside = folder.resolve("bbh");
        return (Files.isDirectory(inside) ? inside : folder).resolve(title + ".json");
    }

    @Override
    public List<Item> read(Path folder, String part) {
        Path file = file(folder, part);
        List<Item> items = new ArrayList<>();
        for (JsonNode node : Fields.read(file).list("examples")) {
            String place = file + ": examples[" + items.size() + "]";
            Fields example = Fields.of(place, node);
            String input = example.string("input");
            String target = example.string("target");
            String asked = "Q: " + input + "\nA:";
            if (isWritten) {
                items.add(new Item(new Row.Completion(asked, " " + target), "", List.of(target)));
                continue;
            }
            List<String> options = new ArrayList<>(fixed.isEmpty() ? options(input) : fixed);
            if (options.isEmpty()) {
                throw new FormatException(place, "lists no options to choose from", null);
            }
            if (!options.contains(target)) {
                // Three questions are torn at commas in the official files: their answer stands under no letter.
                options.add(target);
            }
            items.add(new Item(new Row.Choice(asked, options, options.indexOf(target)), "", List.of(target)));
        }
        if (items.isEmpty()) {
            throw new FormatException(file, "has no rows");
        }
        return items;
    }

    /** The letters, or the words, below {@code Options:}. */
    static List<String> options(String input) {
        int list = input.lastIndexOf("Options:");
        List<String> options = new ArrayList<>();
        Matcher found = LISTED.matcher(input.substring(Math.max(list, 0)));
        while (list >= 0 && found.find()) {
            String option = found.group(1) == null ? found.group(2) : found.group(1);
            if (!options.contains(option)) {
                options.add(option);
            }
        }
        return options;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        long right = answers.stream()
                .filter(answer ->
                        answer.item().gold().get(0).equals(answer.label().strip()))
                .count();
        return Map.of("accuracy", (double) right / answers.size());
    }
}
