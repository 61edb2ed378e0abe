package dev.graft.run.methods;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The Javadoc of a record, from its source, as plain text.
 *
 * @param text without the tags at its end; paragraphs are lines, with empty ones between them, and examples are indented
 * @param components what it says about each component
 */
record RecordJavadoc(String text, Map<String, String> components) {
    private static final Path SOURCES = Path.of("../peft/src/main/java");

    private static final RecordJavadoc NONE = new RecordJavadoc("", Map.of());

    private static final Pattern LINK =
            Pattern.compile("\\{@link(?:plain)? +#?([\\w.]*?)(?:#(\\w+))?(?:\\([^}]*\\))? *}");

    /** The documentation of a record of the module peft; empty where it has none. */
    static RecordJavadoc of(Class<?> record) {
        Class<?> file = record;
        while (file.getEnclosingClass() != null) {
            file = file.getEnclosingClass();
        }
        String source = read(SOURCES.resolve(file.getName().replace('.', '/') + ".java"));
        Matcher declaration =
                Pattern.compile("\\brecord " + record.getSimpleName() + "\\b").matcher(source);
        if (!declaration.find()) {
            return NONE;
        }
        int end = source.lastIndexOf("*/", declaration.start());
        int start = source.lastIndexOf("/**", declaration.start());
        boolean own = start >= 0
                && end > start
                && !source.substring(end, declaration.start()).contains("}");
        return own ? parse(source.substring(start + 3, end)) : NONE;
    }

    private static String read(Path source) {
        try {
            return Files.readString(source);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static RecordJavadoc parse(String comment) {
        String plain =
                comment.lines().map(line -> line.replaceFirst("^\\s*\\* ?", "")).reduce("", (a, b) -> a + "\n" + b);
        String[] parts = plain.split("\n(?=@)");
        Map<String, String> components = new LinkedHashMap<>();
        for (int i = 1; i < parts.length; i++) {
            Matcher tag =
                    Pattern.compile("@param (\\w+)\\s+(.*)", Pattern.DOTALL).matcher(parts[i].strip());
            if (tag.matches()) {
                components.put(tag.group(1), words(tag.group(2)));
            }
        }
        return new RecordJavadoc(text(parts[0]), components);
    }

    private static String text(String body) {
        StringBuilder text = new StringBuilder();
        Matcher example = Pattern.compile("<pre>(?:\\{@code)?(.*?)}?</pre>", Pattern.DOTALL)
                .matcher(body);
        int at = 0;
        while (example.find()) {
            prose(text, body.substring(at, example.start()));
            example.group(1)
                    .strip()
                    .lines()
                    .forEach(line -> text.append("    ").append(line).append('\n'));
            text.append('\n');
            at = example.end();
        }
        prose(text, body.substring(at));
        return text.toString().strip();
    }

    private static void prose(StringBuilder text, String body) {
        for (String paragraph : body.split("<p>")) {
            if (!paragraph.isBlank()) {
                text.append(words(paragraph)).append("\n\n");
            }
        }
    }

    /** Text in one line, without tags. */
    private static String words(String javadoc) {
        String plain = LINK.matcher(javadoc.replaceAll("\\s+", " ").strip())
                .replaceAll(link -> Matcher.quoteReplacement(link.group(2) == null ? link.group(1) : link.group(2)));
        return plain.replaceAll("\\{@code ((?:[^{}]|\\{[^{}]*})*)}", "$1").replaceAll("</?(b|i|em|ul|ol|li)>", "");
    }
}
