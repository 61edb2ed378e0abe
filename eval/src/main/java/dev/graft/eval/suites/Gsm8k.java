package dev.graft.eval.suites;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Word problems of grade schools (Cobbe et al., 2021): whether the final number is right. {@code exact_match} takes the number behind
 * {@code ####}, as answers of the training rows end, and where there is none the last number; {@code marked} only the first.
 */
record Gsm8k() implements SuiteTask {
    private static final Pattern MARKED = Pattern.compile("#### (-?[0-9.,]+)");
    private static final Pattern NUMBER = Pattern.compile("-?\\$?[0-9][0-9,]*(?:\\.[0-9]+)?");

    @Override
    public String title() {
        return "gsm8k";
    }

    @Override
    public Ask asks() {
        return Ask.TEXT;
    }

    @Override
    public List<String> scored() {
        return List.of("test");
    }

    @Override
    public Path file(Path folder, String part) {
        return folder.resolve(part + ".jsonl");
    }

    @Override
    public Writing writing() {
        return new Writing(256, List.of("\nQuestion:"));
    }

    @Override
    public List<Item> read(Path folder, String part) {
        List<Item> items = new ArrayList<>();
        OfficialLines.json(file(folder, part), (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            String answer = fields.string("answer");
            String gold = marked(answer);
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

    /** The number behind the mark, in its shortest form; null if there is none. */
    static @Nullable String marked(String answer) {
        Matcher found = MARKED.matcher(answer);
        return found.find() ? plain(found.group(1)) : null;
    }

    /** The final number: the marked one, else the last one; null if there is none. */
    static @Nullable String last(String answer) {
        String marked = marked(answer);
        if (marked != null) {
            return marked;
        }
        String last = null;
        Matcher found = NUMBER.matcher(answer);
        while (found.find()) {
            last = found.group();
        }
        return last == null ? null : plain(last);
    }

    private static @Nullable String plain(String number) {
        try {
            BigDecimal value = new BigDecimal(number.replaceAll("[,$]", "").replaceAll("\\.+$", ""));
            return value.stripTrailingZeros().toPlainString();
        } catch (NumberFormatException noNumber) {
            return null;
        }
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
                    String said = anywhere ? last(answer.label()) : marked(answer.label());
                    return answer.item().gold().get(0).equals(said);
                })
                .count();
        return (double) right / answers.size();
    }

    @Override
    public List<String> counted() {
        return List.of("exact_match");
    }
}
