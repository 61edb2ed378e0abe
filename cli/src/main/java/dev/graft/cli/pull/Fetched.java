package dev.graft.cli.pull;

import dev.graft.cli.model.DownloadLine;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Terminal;
import dev.graft.formats.FileTree;
import dev.graft.formats.Json;
import dev.graft.hub.Catalogue;
import dev.graft.hub.Hub;
import dev.graft.train.data.sets.DataSet;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * What was asked for and where it is now.
 *
 * @param folders a folder, or for {@code file:} perhaps a file, by source
 */
record Fetched(Map<String, Path> folders) {

    static Fetched all(List<String> sources, PrintWriter err) {
        Map<String, Path> folders = new LinkedHashMap<>();
        for (String source : sources) {
            try (DownloadLine progress = new DownloadLine(err, Terminal.isLive())) {
                Hub hub = new Hub(progress);
                DataSet set = DataSet.find(source).orElse(null);
                folders.put(source, set == null ? hub.fetch(source) : set.open(hub));
            }
            err.println(source + ": " + Figures.bytes(FileTree.bytes(folders.get(source))) + licence(source));
        }
        return new Fetched(folders);
    }

    private static String licence(String source) {
        return DataSet.find(source)
                .map(DataSet::origin)
                .or(() -> Catalogue.find(source))
                .map(entry -> ", " + entry.licence())
                .orElse("");
    }

    /** The folders, a line each; as JSON with what is in them. */
    String print(boolean json) {
        if (!json) {
            StringBuilder lines = new StringBuilder();
            folders.values().forEach(folder -> lines.append(folder).append('\n'));
            return lines.toString();
        }
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        folders.forEach((source, folder) -> {
            var one = list.addObject()
                    .put("source", source)
                    .put("path", folder.toString())
                    .put("bytes", FileTree.bytes(folder));
            files(folder).forEach(one.putArray("files")::add);
        });
        return Json.pretty(JsonNodeFactory.instance.objectNode().set("fetched", list)) + "\n";
    }

    private static List<String> files(Path folder) {
        try (Stream<Path> walk = Files.walk(folder)) {
            return walk.filter(Files::isRegularFile)
                    .map(file -> folder.relativize(file).toString())
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + folder + ": " + e.getMessage(), e);
        }
    }
}
