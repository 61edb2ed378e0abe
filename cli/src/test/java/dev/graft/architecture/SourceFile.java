package dev.graft.architecture;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A text file of the repository: its path from the root, with {@code /} between the folders, and its content. */
record SourceFile(String path, String text) {

    /** The folder of the repository; tests run in the folder of their module. */
    static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

    private static final List<SourceFile> ALL = read();

    static List<SourceFile> main() {
        return ALL.stream().filter(file -> file.isJava("main")).toList();
    }

    static List<SourceFile> tests() {
        return ALL.stream().filter(file -> file.isJava("test")).toList();
    }

    static List<SourceFile> java() {
        return Stream.concat(main().stream(), tests().stream()).toList();
    }

    static List<SourceFile> markdown() {
        return ALL.stream().filter(file -> file.path.endsWith(".md")).toList();
    }

    /** Returns the place of each match as {@code path:line: text}, the text being the match's group 1. */
    Stream<String> find(Pattern pattern) {
        return pattern.matcher(text).results().map(match -> at(match.start(1)) + ": " + match.group(1));
    }

    /** Returns the place of a character as {@code path:line}. */
    String at(int offset) {
        return path + ":"
                + (1 + text.substring(0, offset).chars().filter(c -> c == '\n').count());
    }

    /** Returns this file with every match replaced by its line ends, so that lines keep their numbers. */
    SourceFile without(Pattern pattern) {
        return new SourceFile(
                path,
                pattern.matcher(text)
                        .replaceAll(
                                match -> Matcher.quoteReplacement(match.group().replaceAll("[^\n]", ""))));
    }

    String fileName() {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private boolean isJava(String kind) {
        return path.endsWith(".java") && path.contains("/src/" + kind + "/java/");
    }

    private static List<SourceFile> read() {
        List<SourceFile> files = new ArrayList<>();
        try {
            Files.walkFileTree(ROOT, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                    String name = folder.getFileName().toString();
                    boolean foreign = name.startsWith(".") || name.equals("target") || name.equals("runs");
                    return foreign || folder.equals(ROOT.resolve("shared"))
                            ? FileVisitResult.SKIP_SUBTREE
                            : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    String path = ROOT.relativize(file).toString().replace('\\', '/');
                    if (path.endsWith(".md") || path.endsWith(".java")) {
                        files.add(new SourceFile(path, Files.readString(file)));
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return List.copyOf(files);
    }
}
