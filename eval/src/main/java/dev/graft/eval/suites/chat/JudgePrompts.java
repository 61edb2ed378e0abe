package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.OfficialLines;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.chat.Message;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The prompts of a judge: {@code judge_prompts.jsonl}, as MT-Bench has it. */
final class JudgePrompts {
    private static final Pattern PLACE = Pattern.compile("\\{([a-z_0-9]+)}");

    private record Prompt(String system, String template) {}

    private final Path file;
    private final Map<String, Prompt> prompts = new HashMap<>();

    private JudgePrompts(Path file) {
        this.file = file;
    }

    /**
     * Reads the prompts in the folder of the questions, or beside it.
     *
     * @throws InputException if they aren't there
     */
    static JudgePrompts read(Path folder) {
        Path inside = folder.resolve("judge_prompts.jsonl");
        Path beside = folder.toAbsolutePath().resolveSibling("judge_prompts.jsonl");
        if (!Files.exists(inside) && !Files.exists(beside)) {
            throw new InputException(inside
                    + " isn't there: it holds what MT-Bench asks a judge, and comes with the questions in"
                    + " fastchat/llm_judge/data");
        }
        JudgePrompts all = new JudgePrompts(Files.exists(inside) ? inside : beside);
        OfficialLines.json(all.file, (line, place, number) -> {
            Fields fields = Fields.of(place, line);
            all.prompts.put(
                    fields.string("name"),
                    new Prompt(fields.string("system_prompt"), fields.string("prompt_template")));
        });
        return all;
    }

    /**
     * The messages of a prompt with its places filled in.
     *
     * @throws FormatException if there is no such prompt, or it has a place for something else
     */
    List<Message> filled(String name, Map<String, String> values) {
        Prompt prompt = prompts.get(name);
        if (prompt == null) {
            throw new FormatException(file, "has no prompt " + name + ", but " + prompts.keySet());
        }
        Matcher places = PLACE.matcher(prompt.template);
        StringBuilder text = new StringBuilder();
        while (places.find()) {
            String value = values.get(places.group(1));
            if (value == null) {
                throw new FormatException(
                        file, "has the place " + places.group() + " in " + name + ", expected " + values.keySet());
            }
            places.appendReplacement(text, Matcher.quoteReplacement(value));
        }
        places.appendTail(text);
        return List.of(Message.system(prompt.system), Message.user(text.toString()));
    }
}
