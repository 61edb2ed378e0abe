package dev.graft.cli.pull;

import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.hub.Catalogue;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/** The short names, as text and as JSON. */
final class CatalogueList {
    private CatalogueList() {}

    static String text() {
        Table table = new Table("name", "size", "licence", "what it is");
        for (Catalogue.Entry entry : Catalogue.entries()) {
            table.row(entry.name(), Figures.bytes(entry.bytes()), entry.licence(), entry.description());
        }
        return table.toString();
    }

    static String json() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Catalogue.Entry entry : Catalogue.entries()) {
            list.addObject()
                    .put("name", entry.name())
                    .put("source", entry.source().toString())
                    .put("bytes", entry.bytes())
                    .put("licence", entry.licence())
                    .put("description", entry.description());
        }
        return Json.pretty(JsonNodeFactory.instance.objectNode().set("catalogue", list)) + "\n";
    }
}
