package dev.graft.cli.methods;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
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
record SourceDoc(String text, Map<String, String> components) {
    private static final SourceDoc NONE = new SourceDoc("", Map.of());

    private static final Pattern LINK =
            Pattern.compile("\\{@link(?:plain)? +#?([\\w.]*?)(?:#(\\w+))?(?:\\([^}]*\\))? *}");

    /** The documentation of a record whose source is beside its class; empty where there is none. */
    static SourceDoc of(Class<?> record) {
        Class<?> file = record;
        while (file.getEnclosingClass() != null) {
            file = file.getEnclosingClass();
        }
        String source;
        try (InputStream in = file.getResourceAsStream(file.getSimpleName() + ".java")) {
            if (in == null) {
                return NONE;
            }
            source = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the source of " + record.getName() + ": " + e.getMessage(), e);
        }
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

    private static SourceDoc parse(String comment) {
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
        return new SourceDoc(text(parts[0]), components);
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
