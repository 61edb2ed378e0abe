package dev.graft.cli.adapters;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.StoreEntry;
import dev.graft.peft.store.StoredVersion;
import dev.graft.run.progress.UnitFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The output of {@code graft adapters list}. */
record StoreList(List<StoreEntry> entries) {

    String table() {
        if (entries.isEmpty()) {
            return "the store is empty; `graft adapters add NAME ADAPTER` adds to it\n";
        }
        Table table =
                new Table("name", "version", "served", "tags", "method", "base", "size", "signed", "added", "metrics");
        for (StoreEntry entry : entries) {
            if (entry.target() != null) {
                table.row(entry.name(), "", "", "", "alias of " + entry.target() + canary(entry), "", "", "", "", "");
            }
            for (StoredVersion version : entry.versions()) {
                table.row(
                        entry.name(),
                        version.number(),
                        version.equals(entry.served()) ? "yes" : "",
                        String.join(", ", tags(entry, version)),
                        version.method(),
                        text(version.base()),
                        UnitFormat.bytes(version.bytes()),
                        version.signature() == null ? "" : "yes",
                        version.added().toString().substring(0, 10),
                        version.metrics().entrySet().stream()
                                .map(metric ->
                                        String.format(Locale.ROOT, "%s %.4g", metric.getKey(), metric.getValue()))
                                .collect(Collectors.joining(", ")));
            }
        }
        return table.toString();
    }

    private static String canary(StoreEntry entry) {
        Canary canary = entry.canary();
        return canary == null ? "" : String.format(Locale.ROOT, ", %s for %.4g of it", canary.target(), canary.share());
    }

    private static List<String> tags(StoreEntry entry, StoredVersion version) {
        return entry.tags().entrySet().stream()
                .filter(tag -> tag.getValue() == version.number())
                .map(Map.Entry::getKey)
                .toList();
    }

    private static String text(@Nullable String value) {
        return value == null ? "" : value;
    }

    String json() {
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        for (StoreEntry entry : entries) {
            ObjectNode json = all.addObject().put("name", entry.name());
            if (entry.target() != null) {
                json.put("alias_of", entry.target());
                Canary canary = entry.canary();
                if (canary != null) {
                    json.putObject("canary").put("target", canary.target()).put("share", canary.share());
                }
                continue;
            }
            json.put("served", entry.served() == null ? null : entry.served().number());
            ArrayNode versions = json.putArray("versions");
            for (StoredVersion version : entry.versions()) {
                ObjectNode one = versions.addObject()
                        .put("version", version.number())
                        .put("id", version.id())
                        .put("method", version.method())
                        .put("task", version.task())
                        .put("base", version.base())
                        .put("base_fingerprint", version.baseFingerprint())
                        .put("bytes", version.bytes())
                        .put("added", version.added().toString())
                        .put("signed", version.signature() != null);
                ArrayNode tags = one.putArray("tags");
                tags(entry, version).forEach(tags::add);
                ObjectNode metrics = one.putObject("metrics");
                version.metrics().forEach(metrics::put);
            }
        }
        return Json.pretty(all);
    }
}
