package dev.graft.cli.pull;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.hub.Catalogue;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.data.sets.PackagedDataset;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The short names, as text and as JSON. */
final class CatalogueList {
    private CatalogueList() {}

    static String text() {
        Table table = new Table("name", "size", "licence", "what it is");
        for (Catalogue.Entry entry : Catalogue.entries()) {
            table.row(entry.name(), UnitFormat.bytes(entry.bytes()), entry.licence(), entry.description());
        }
        Table sets = new Table("data set", "size", "licence", "what is learnt from what");
        for (PackagedDataset dataset : PackagedDataset.known()) {
            sets.row(
                    dataset.name(),
                    UnitFormat.bytes(dataset.origin().bytes()),
                    dataset.origin().licence(),
                    dataset.description());
        }
        return table + "\nRows to train on, by data.train=NAME:\n" + sets;
    }

    static String json() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Catalogue.Entry entry : Catalogue.entries()) {
            list.addObject()
                    .put("name", entry.name())
                    .put("source", entry.source())
                    .put("bytes", entry.bytes())
                    .put("licence", entry.licence())
                    .put("description", entry.description());
        }
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.set("catalogue", list);
        ArrayNode sets = json.putArray("data_sets");
        for (PackagedDataset dataset : PackagedDataset.known()) {
            sets.addObject()
                    .put("name", dataset.name())
                    .put("source", dataset.source())
                    .put("licence", dataset.origin().licence())
                    .put("description", dataset.description());
        }
        return Json.pretty(json) + "\n";
    }
}
