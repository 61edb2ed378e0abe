package dev.graft.parity;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/** One kind of case: a folder at the top of a tree. */
interface CaseGroup {
    /** The folder's name. */
    String name();

    /** Runs its cases. */
    void run(Path tree, CaseRunner runner);

    /** The folders with a manifest.json at that depth below the group's folder, as paths relative to the tree, in order. */
    default List<Path> folders(Path tree, int depth) {
        Path group = tree.resolve(name());
        if (!Files.isDirectory(group)) {
            return List.of();
        }
        try (Stream<Path> found = Files.find(
                group,
                depth + 1,
                (path, attributes) -> path.getFileName().toString().equals("manifest.json")
                        && path.getNameCount() == group.getNameCount() + depth + 1)) {
            return found.map(path -> tree.relativize(path.getParent())).sorted().toList();
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + group, e);
        }
    }

    /** The JSON files of the group's folder, in order. */
    default List<Path> jsonFiles(Path tree) {
        Path group = tree.resolve(name());
        if (!Files.isDirectory(group)) {
            return List.of();
        }
        try (Stream<Path> found = Files.list(group)) {
            return found.filter(path -> path.getFileName().toString().endsWith(".json"))
                    .filter(path -> !path.getFileName().toString().equals("index.json"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + group, e);
        }
    }

    /** The id of a case. */
    static String id(Path relative) {
        return relative.toString().replace('\\', '/');
    }

    static JsonNode manifest(Path folder) {
        return Json.read(folder.resolve("manifest.json"));
    }

    /** A file's name without its ending. */
    static String stem(Path file) {
        String name = file.getFileName().toString();
        return name.substring(0, name.lastIndexOf('.'));
    }
}
