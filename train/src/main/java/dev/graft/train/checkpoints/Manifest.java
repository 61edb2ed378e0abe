package dev.graft.train.checkpoints;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The size and SHA-256 of every file of a folder, in {@code manifest.json}, so that a torn or edited folder is noticed. */
final class Manifest {
    private static final String NAME = "manifest.json";

    private Manifest() {}

    static void write(Path folder) throws IOException {
        ObjectNode files = JsonNodeFactory.instance.objectNode();
        for (Path file : files(folder)) {
            ObjectNode entry =
                    files.putObject(folder.relativize(file).toString().replace('\\', '/'));
            entry.put("bytes", Files.size(file));
            entry.put("sha256", Sha256.of(file));
        }
        ObjectNode manifest = JsonNodeFactory.instance.objectNode();
        manifest.set("files", files);
        AtomicWrite.text(folder.resolve(NAME), Json.pretty(manifest) + "\n");
    }

    /**
     * Compares the files of a folder with its manifest.
     *
     * @param required a file that the manifest must list
     * @throws InputException naming the first file that is missing or different
     */
    static void verify(Path folder, String required) throws IOException {
        JsonNode files = Json.read(folder.resolve(NAME)).path("files");
        if (!files.isObject() || !files.has(required)) {
            throw new FormatException(folder.resolve(NAME), "does not list " + required);
        }
        for (Map.Entry<String, JsonNode> entry : files.properties()) {
            Path file = folder.resolve(entry.getKey()).normalize();
            if (!file.startsWith(folder.normalize())) {
                throw new FormatException(
                        folder.resolve(NAME), "lists " + entry.getKey() + ", which is outside the folder");
            }
            if (!Files.isRegularFile(file)) {
                throw new FormatException(file, "is missing");
            }
            long bytes = entry.getValue().path("bytes").asLong(-1);
            if (Files.size(file) != bytes) {
                throw new FormatException(file, "has " + Files.size(file) + " bytes, expected " + bytes);
            }
            if (!Sha256.of(file).equals(entry.getValue().path("sha256").asString(""))) {
                throw new FormatException(file, "is not the file that was saved (its SHA-256 differs)");
            }
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> paths = Files.walk(folder)) {
            return paths.filter(Files::isRegularFile).sorted().toList();
        }
    }
}
