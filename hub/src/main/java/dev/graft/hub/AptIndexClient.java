package dev.graft.hub;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Reads the signed package index of a Debian release through the installed {@code apt-get} into a separate folder. Installed packages and the
 * machine's own lists stay unchanged.
 */
record AptIndexClient(HubEnvironment environment) {
    /** The main files of a release, named after where they come from. */
    private static final Pattern LIST =
            Pattern.compile(".*_dists_([^_]+)_main_(?:binary-[^_]+_(Packages)|i18n_(Translation-(?:en|de|fr|it)))");

    private static final List<String> NAMES =
            List.of("Packages", "Translation-de", "Translation-en", "Translation-fr", "Translation-it");

    /**
     * Writes a zip of {@code Packages} and {@code Translation-LANGUAGE} to {@code destination}; {@code work} is an empty folder.
     */
    void fetch(Source.AptIndex source, Path work, Path destination, long bytes, DownloadProgress progress) {
        environment.offline().ifPresent(variable -> {
            throw new FetchException(
                    source + " is not in the cache and " + variable + " is set: fetch it once while online");
        });
        Path apt = environment
                .executable("apt-get")
                .orElseThrow(() -> new FetchException(
                        source + " is an index of Debian and needs apt-get, which this machine doesn't have."));
        try {
            Path lists = work.resolve("lists");
            Files.createDirectories(lists.resolve("partial"));
            Path config = work.resolve("apt.conf");
            Files.writeString(config, """
                #clear Acquire::Languages;
                Acquire::Languages {"en";"de";"fr";"it";};
                Acquire::GzipIndexes "false";
                Dir::State::lists "%s";
                Dir::Cache "%s";
                """.formatted(lists, work.resolve("cache")));
            CommandResult command = CommandResult.run(
                    List.of(apt.toString(), "-c", config.toString(), "update"),
                    work,
                    environment.variables(),
                    lists,
                    "apt " + source,
                    bytes,
                    progress);
            if (command.exitCode() != 0) {
                throw new FetchException(source + ": apt-get ended with exit code " + command.exitCode()
                        + ". It said:\n" + command.tail());
            }
            zip(found(source, lists), destination.resolve("index.zip"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<String, Path> found(Source.AptIndex source, Path lists) throws IOException {
        Map<String, Path> found = new LinkedHashMap<>();
        TreeSet<String> releases = new TreeSet<>();
        try (Stream<Path> files = Files.list(lists)) {
            for (Path file : files.sorted().toList()) {
                Matcher list = LIST.matcher(file.getFileName().toString());
                if (list.matches()) {
                    releases.add(list.group(1));
                    if (list.group(1).equals(source.release())) {
                        found.put(list.group(2) == null ? list.group(3) : list.group(2), file);
                    }
                }
            }
        }
        if (!found.keySet().containsAll(NAMES)) {
            throw new FetchException(source + ": apt has " + found.keySet() + " of the release " + source.release()
                    + ", expected " + NAMES + "; its sources are of the releases " + releases
                    + ". Add that release's main to apt's sources.");
        }
        return found;
    }

    /** Equal files give equal zips. */
    private static void zip(Map<String, Path> files, Path zip) throws IOException {
        try (OutputStream out = Files.newOutputStream(zip);
                ZipOutputStream entries = new ZipOutputStream(out)) {
            for (String name : NAMES) {
                ZipEntry entry = new ZipEntry(name);
                entry.setTime(0);
                entries.putNextEntry(entry);
                Files.copy(Objects.requireNonNull(files.get(name)), entries);
            }
        }
    }
}
