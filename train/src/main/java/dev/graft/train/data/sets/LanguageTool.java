package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.HashSplits.GroupedRow;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import org.jspecify.annotations.Nullable;

/**
 * Example sentences of LanguageTool's grammar rules: wrong ones with the span of the error and mostly a correction, and similar right ones.
 * Sentences of one rule stay in the same split.
 */
final class LanguageTool {
    private static final Path RULES = Path.of("org", "languagetool", "rules", "en", "grammar.xml");
    private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{N}]+(?:['’][\\p{L}]+)?|[^\\s\\p{L}\\p{N}]");

    private LanguageTool() {}

    /**
     * An example of a rule.
     *
     * @param category the category of the rule, such as Grammar
     * @param start the start of the error, if there is one
     * @param correction the rule's first correction; null if there is none or nothing is wrong
     */
    record Sentence(
            String rule,
            String category,
            String text,
            boolean isWrong,
            int start,
            int end,
            @Nullable String correction) {
        boolean isMarked() {
            return start < end;
        }
    }

    static Splits acceptability(Path from) throws IOException {
        List<GroupedRow> rows = new ArrayList<>();
        for (Sentence each : read(from.resolve(RULES))) {
            String label = each.isWrong() ? "unacceptable" : "acceptable";
            rows.add(new GroupedRow(each.rule(), new Row.Text(each.text(), null, new Label.One(label))));
        }
        return HashSplits.split("acceptability", rows);
    }

    static Splits kinds(Path from) throws IOException {
        List<GroupedRow> rows = new ArrayList<>();
        for (Sentence each : read(from.resolve(RULES))) {
            if (each.isWrong()) {
                rows.add(new GroupedRow(each.rule(), new Row.Text(each.text(), null, new Label.One(each.category()))));
            }
        }
        return HashSplits.split("error-kinds", rows);
    }

    static Splits corrections(Path from) throws IOException {
        List<GroupedRow> rows = new ArrayList<>();
        for (Sentence each : read(from.resolve(RULES))) {
            String correction = each.correction();
            if (each.isMarked() && correction != null) {
                String right = each.text().substring(0, each.start())
                        + correction
                        + each.text().substring(each.end());
                rows.add(new GroupedRow(
                        each.rule(),
                        new Row.Completion("Correct this sentence: " + each.text() + "\n", right.strip())));
            }
        }
        return HashSplits.split("corrections", rows);
    }

    /** Tags are IOB2: {@code B-ERROR}, {@code I-ERROR}, {@code O}. */
    static Splits spans(Path from) throws IOException {
        List<GroupedRow> rows = new ArrayList<>();
        for (Sentence each : read(from.resolve(RULES))) {
            List<String> words = new ArrayList<>();
            List<String> tags = new ArrayList<>();
            boolean inside = false;
            for (Matcher word = WORD.matcher(each.text()); word.find(); ) {
                boolean wrong = each.isWrong() && word.start() < each.end() && word.end() > each.start();
                words.add(word.group());
                tags.add(wrong ? inside ? "I-ERROR" : "B-ERROR" : "O");
                inside = wrong;
            }
            if (!words.isEmpty() && each.isWrong() == tags.contains("B-ERROR")) {
                rows.add(new GroupedRow(each.rule(), new Row.Words(words, new Label.Each(tags))));
            }
        }
        return HashSplits.split("error-spans", rows);
    }

    /**
     * The examples in a file of rules.
     *
     * @throws FormatException if it isn't XML
     */
    static List<Sentence> read(Path file) throws IOException {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_REPLACING_ENTITY_REFERENCES, false);
        try (InputStream in = Files.newInputStream(file)) {
            return new Reader(factory.createXMLStreamReader(in)).read();
        } catch (XMLStreamException e) {
            throw new FormatException(file, "is not a file of rules: " + e.getMessage());
        }
    }

    private static final class Reader {
        private final XMLStreamReader xml;
        private final List<Sentence> sentences = new ArrayList<>();
        private String category = "";
        private String group = "";
        private String rule = "";

        Reader(XMLStreamReader xml) {
            this.xml = xml;
        }

        List<Sentence> read() throws XMLStreamException {
            while (xml.hasNext()) {
                int event = xml.next();
                if (event == XMLStreamConstants.START_ELEMENT) {
                    start(xml.getLocalName());
                } else if (event == XMLStreamConstants.END_ELEMENT
                        && xml.getLocalName().equals("rulegroup")) {
                    group = "";
                }
            }
            return sentences;
        }

        private void start(String element) throws XMLStreamException {
            switch (element) {
                case "category" -> category = attribute("name", "");
                case "rulegroup" -> group = attribute("id", "");
                case "rule" -> rule = group.isEmpty() ? attribute("id", "") : group;
                case "example" -> example();
                default -> {}
            }
        }

        private String attribute(String name, String otherwise) {
            String value = xml.getAttributeValue(null, name);
            return value == null ? otherwise : value;
        }

        private void example() throws XMLStreamException {
            String offered = xml.getAttributeValue(null, "correction");
            String type = attribute("type", offered == null ? "correct" : "incorrect");
            StringBuilder text = new StringBuilder();
            int start = 0;
            int end = 0;
            int depth = 1;
            boolean isWhole = true;
            while (depth > 0) {
                switch (xml.next()) {
                    case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA, XMLStreamConstants.SPACE ->
                        text.append(xml.getText());
                    case XMLStreamConstants.ENTITY_REFERENCE -> {
                        String value = xml.getText();
                        isWhole &= value != null;
                        text.append(value);
                    }
                    case XMLStreamConstants.START_ELEMENT -> {
                        depth++;
                        start = text.length();
                    }
                    case XMLStreamConstants.END_ELEMENT -> {
                        depth--;
                        end = depth > 0 ? text.length() : end;
                    }
                    default -> {}
                }
            }
            boolean wrong = type.equals("incorrect");
            String sentence = text.toString();
            if (isWhole && !sentence.isBlank() && (wrong || type.equals("correct"))) {
                // Before the span there is never space, which strip would take away.
                int cut = sentence.length() - sentence.stripLeading().length();
                sentences.add(new Sentence(
                        rule,
                        category,
                        sentence.strip(),
                        wrong,
                        wrong ? Math.max(0, start - cut) : 0,
                        wrong ? Math.min(end - cut, sentence.strip().length()) : 0,
                        wrong && offered != null && !offered.isEmpty() ? offered.split("\\|", 2)[0] : null));
            }
        }
    }
}
