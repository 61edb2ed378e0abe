package dev.graft.eval.suites;

import dev.graft.eval.suites.TextGenerationTask.TextPair;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * WebNLG (Gardent et al., 2017): triples of DBpedia in XML files below {@code train}, {@code dev} and {@code test}. Texts of the test split
 * are also scored separately for categories that are in the training rows and for unseen ones. Other files beside the test file of a
 * challenge (without texts, unseen categories only, another task) aren't read.
 */
record WebNlg() implements TextGenerationTask.PairSource {
    private static final String ENTRY = "entry";

    /** Files of the challenges' test folders whose entries stand in another file too. */
    private static final Pattern BESIDE =
            Pattern.compile(".*(no_lex|unseen_with_lex|without-refs|semantic-parsing).*\\.xml");

    /** The texts of an entry and the category of its subject. */
    private record Entry(String category, List<String> triples, List<String> texts) {}

    @Override
    public String validationSplit() {
        return "dev";
    }

    @Override
    public Path file(Path folder, String part) {
        return folder.resolve(part);
    }

    @Override
    public List<Path> files(Path folder, String part) {
        Path place = file(folder, part);
        try (Stream<Path> files = Files.walk(place)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(".xml"))
                    .filter(file ->
                            !BESIDE.matcher(file.getFileName().toString()).matches())
                    .sorted()
                    .toList();
            if (found.isEmpty()) {
                throw new FormatException(place, "has no .xml file");
            }
            return found;
        } catch (IOException e) {
            throw new FileAccessException("cannot look into " + place, e);
        }
    }

    @Override
    public List<TextPair> read(Path folder, String part) {
        Set<String> seen = new HashSet<>();
        boolean apart = part.equals(scoredSplit()) && Files.isDirectory(file(folder, "train"));
        if (apart) {
            entries(folder, "train").forEach(entry -> seen.add(entry.category));
        }
        return entries(folder, part).stream()
                .map(entry -> new TextPair(
                        DataToText.asked(String.join(" | ", entry.triples)),
                        entry.texts,
                        !apart ? "" : seen.contains(entry.category) ? "seen" : "unseen"))
                .toList();
    }

    private List<Entry> entries(Path folder, String part) {
        List<Entry> entries = new ArrayList<>();
        for (Path file : files(folder, part)) {
            NodeList found = parse(file).getElementsByTagName(ENTRY);
            for (int i = 0; i < found.getLength(); i++) {
                entries.add(entry((Element) found.item(i), file + ": entry " + (i + 1)));
            }
        }
        return entries;
    }

    private static Entry entry(Element entry, String place) {
        List<String> triples = new ArrayList<>();
        for (String triple : texts(entry, "mtriple")) {
            String[] parts = triple.split(" \\| ", -1);
            if (parts.length != 3) {
                throw new FormatException(
                        place, "has the triple \"" + triple + "\", expected three parts between bars", null);
            }
            triples.add(String.join(" : ", parts));
        }
        List<String> texts = texts(entry, "lex");
        if (triples.isEmpty() || texts.isEmpty()) {
            throw new FormatException(place, "has no mtriple, or no lex that says it", null);
        }
        return new Entry(entry.getAttribute("category"), triples, texts);
    }

    private static List<String> texts(Element entry, String name) {
        NodeList found = entry.getElementsByTagName(name);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < found.getLength(); i++) {
            String text = found.item(i).getTextContent().strip();
            if (!text.isEmpty()) {
                texts.add(text);
            }
        }
        return texts;
    }

    /** A document without a type and without anything that it would fetch. */
    private static Element parse(Path file) {
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            factory.setExpandEntityReferences(false);
            DocumentBuilder builder = factory.newDocumentBuilder();
            builder.setErrorHandler(new DefaultHandler());
            return builder.parse(new InputSource(new StringReader(OfficialLines.text(file))))
                    .getDocumentElement();
        } catch (SAXException e) {
            throw new FormatException(file.toString(), "is no XML as WebNLG has it: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        } catch (ParserConfigurationException e) {
            throw new AssertionError("every Java platform reads XML", e);
        }
    }
}
