package dev.graft.eval.suites;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Word problems of grade schools (Cobbe et al., 2021): the share of right final numbers. {@code exact_match} reads the number after
 * {@code ####}, with which the training answers end, else the last number; {@code marked} only reads the former.
 */
record Gsm8k() implements SuiteTask {
    @Override
    public String title() {
        return "gsm8k";
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.TEXT;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("test");
    }

    @Override
    public Path file(Path folder, String part) {
        return folder.resolve(part + ".jsonl");
    }

    @Override
    public GenerationLimits generationLimits() {
        return new GenerationLimits(256, List.of("\nQuestion:"));
    }

    @Override
    public List<Item> read(Path folder, String part) {
        List<Item> items = new ArrayList<>();
        OfficialLines.json(file(folder, part), (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            String answer = fields.string("answer");
            String gold = FinalNumber.marked(answer);
            if (gold == null) {
                throw new FormatException(place, "\"answer\" has no number behind ####", null);
            }
            items.add(new Item(
                    new Row.Completion("Question: " + fields.string("question") + "\nAnswer:", " " + answer),
                    "",
                    List.of(gold)));
        });
        return items;
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("exact_match", share(answers, true));
        values.put("marked", share(answers, false));
        return values;
    }

    private static double share(List<Answer> answers, boolean anywhere) {
        long right = answers.stream()
                .filter(answer -> {
                    String said = anywhere ? FinalNumber.in(answer.label()) : FinalNumber.marked(answer.label());
                    return answer.item().gold().get(0).equals(said);
                })
                .count();
        return (double) right / answers.size();
    }

    @Override
    public List<String> mainScores() {
        return List.of("exact_match");
    }
}
