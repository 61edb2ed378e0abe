package dev.graft.train.data.internal;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds data files by path, pattern or split, in the order of their names. */
public final class RowFiles {
    private static final String SUFFIX = "\\.(jsonl|ndjson|json|csv|tsv|tab|parquet|arrow)(\\.(gz|zst|bz2|xz))?";
    private static final Pattern DATA = Pattern.compile(".*" + SUFFIX);

    private static final Pattern PATTERN = Pattern.compile(".*[*?\\[{].*");

    private RowFiles() {}

    /**
     * Returns a file, or those that match a pattern such as {@code data/*.jsonl.gz}.
     *
     * @throws InputException if there is none
     */
    public static List<Path> of(String name) {
        Path path = Path.of(name);
        if (Files.exists(path) || !PATTERN.matcher(name).matches()) {
            return List.of(path);
        }
        Path from = path;
        int depth = 0;
        while (from != null && PATTERN.matcher(from.toString()).matches()) {
            from = from.getParent();
            depth++;
        }
        Path root = from == null ? Path.of("") : from;
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + name);
        List<Path> found = Files.isDirectory(root)
                ? walk(root, name.contains("**") ? Integer.MAX_VALUE : depth, matcher)
                : List.of();
        if (found.isEmpty()) {
            throw new InputException("no file matches " + name);
        }
        return found;
    }

    /**
     * Returns the files of a split: {@code train.jsonl}, {@code train-00000-of-00002.parquet}, or those in a folder {@code train}. They are
     * in the folder itself, in its folder {@code data}, or in its only subfolder with such files.
     *
     * @param names the names of the split, the first for messages
     * @return empty if there are none
     * @throws InputException if several sets of files match
     */
    public static List<Path> splitFiles(Path folder, List<String> names) {
        List<Path> here = splitFilesIn(folder, names);
        if (!here.isEmpty()) {
            return here;
        }
        Path data = folder.resolve("data");
        if (Files.isDirectory(data)) {
            return splitFilesIn(data, names);
        }
        List<Path> subsets = list(folder).stream()
                .filter(Files::isDirectory)
                .filter(subset -> !splitFilesIn(subset, names).isEmpty())
                .toList();
        if (subsets.size() > 1) {
            throw new FormatException(folder, "has several data sets: " + subsets + "; name one of them");
        }
        return subsets.isEmpty() ? List.of() : splitFilesIn(subsets.get(0), names);
    }

    private static List<Path> splitFilesIn(Path folder, List<String> names) {
        String any = "(" + String.join("|", names) + ")";
        Pattern exact = Pattern.compile(any + SUFFIX);
        Pattern shard = Pattern.compile(any + "[-_.]\\d+([-_]of[-_]\\d+)?(-[0-9a-f]+)?" + SUFFIX);
        List<Path> whole = matching(folder, exact);
        if (whole.size() > 1) {
            throw new FormatException(folder, "has more than one " + names.get(0) + " file: " + whole + "; keep one");
        }
        if (!whole.isEmpty()) {
            return whole;
        }
        List<Path> shards = matching(folder, shard);
        if (!shards.isEmpty()) {
            return shards;
        }
        for (String name : names) {
            Path own = folder.resolve(name);
            if (Files.isDirectory(own)) {
                // Without files of rows it may hold pictures.
                List<Path> files = matching(own, DATA);
                return files.isEmpty() ? List.of(own) : files;
            }
        }
        return List.of();
    }

    private static List<Path> matching(Path folder, Pattern pattern) {
        return list(folder).stream()
                .filter(Files::isRegularFile)
                .filter(file -> pattern.matcher(file.getFileName().toString().toLowerCase(Locale.ROOT))
                        .matches())
                .toList();
    }

    /** Lists a folder, by name. */
    public static List<Path> list(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + folder, e);
        }
    }

    private static List<Path> walk(Path from, int depth, PathMatcher wanted) {
        try (Stream<Path> files = Files.walk(from, depth)) {
            return files.filter(Files::isRegularFile)
                    .filter(wanted::matches)
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + from, e);
        }
    }
}
