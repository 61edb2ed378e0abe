package dev.graft.cli.methods;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The registered methods as a table, and one of them as a page; as text and as JSON. */
final class MethodPages {
    private MethodPages() {}

    static String table() {
        Table can = new Table("method", "acts on", "merges", "starts as the base", "encoders", "decoders", "files");
        Table what = new Table("", "");
        for (Method.Type type : Methods.all()) {
            Method.Capabilities capabilities = type.capabilities();
            can.row(
                    type.name(),
                    String.join(" ", new Probe(type).actsOn()),
                    yes(capabilities.mergeable()),
                    yes(capabilities.identityAtStart()),
                    yes(capabilities.encoder()),
                    yes(capabilities.decoder()),
                    files(type));
            what.row(type.name(), type.summary());
        }
        return can + "\n" + what + "\n`graft methods NAME` shows the options of a method.\n";
    }

    static String tableJson() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        Methods.all().forEach(type -> list.add(json(type, new Probe(type))));
        return Json.pretty(JsonNodeFactory.instance.objectNode().set("methods", list));
    }

    static String page(String name) {
        Method.Type type = ChosenMethod.named(name);
        Probe probe = new Probe(type);
        List<Probe.Option> options = probe.options();
        Method.Capabilities capabilities = type.capabilities();
        StringBuilder page = new StringBuilder(name + ": " + type.summary() + "\n\n");
        page.append(new Table("", "")
                .row("  acts on", String.join(", ", probe.actsOn()))
                .row("  merges into the base", yes(capabilities.mergeable()))
                .row("  a new adapter leaves the base's output as it is", yes(capabilities.identityAtStart()))
                .row("  works on encoders", yes(capabilities.encoder()))
                .row("  works on decoders", yes(capabilities.decoder()))
                .row("  files", files(type)));
        Table table = new Table("", "");
        for (Probe.Option option : options) {
            table.row("  " + name + "." + option.name(), value(option));
        }
        if (!options.isEmpty()) {
            page.append("\nOptions and their defaults\n").append(table);
        }
        page.append("\nExamples\n  graft inspect smollm2 --method ")
                .append(name)
                .append(example(options, " -o "));
        page.append("\n  graft train --model smollm2 --data chats.jsonl --method ")
                .append(name);
        page.append(example(options, " " + name + "."))
                .append("\n\nFormula, cost and when to use it: docs/methods/")
                .append(name)
                .append(".md\n");
        return page.toString();
    }

    private static String value(Probe.Option option) {
        JsonNode byDefault = option.byDefault();
        return option.fromBase() ? "by the base" : byDefault.isNull() ? "not set" : Json.compact(byDefault);
    }

    private static String example(List<Probe.Option> options, String before) {
        for (String wanted : List.of("r", "num_virtual_tokens", "reduction_factor")) {
            if (options.stream().anyMatch(option -> option.name().equals(wanted))) {
                return before + wanted + "=8";
            }
        }
        return "";
    }

    static String pageJson(String name) {
        Method.Type type = ChosenMethod.named(name);
        Probe probe = new Probe(type);
        ObjectNode page = json(type, probe);
        ArrayNode options = page.putArray("options");
        for (Probe.Option option : probe.options()) {
            ObjectNode one = options.addObject();
            one.put("name", option.name());
            one.set("default", option.fromBase() ? JsonNodeFactory.instance.nullNode() : option.byDefault());
            one.put("default_from_base", option.fromBase());
        }
        return Json.pretty(page);
    }

    private static ObjectNode json(Method.Type type, Probe probe) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("name", type.name());
        json.put("summary", type.summary());
        probe.actsOn().forEach(json.putArray("acts_on")::add);
        json.put("mergeable", type.capabilities().mergeable());
        json.put("identity_at_start", type.capabilities().identityAtStart());
        json.put("encoder", type.capabilities().encoder());
        json.put("decoder", type.capabilities().decoder());
        json.put("layout", type.layout() == Method.Layout.ADAPTER_HUB ? "adapterhub" : "peft");
        json.put("type", type.peftType());
        return json;
    }

    private static String files(Method.Type type) {
        return (type.layout() == Method.Layout.ADAPTER_HUB ? "AdapterHub " : "PEFT ") + type.peftType();
    }

    private static String yes(boolean so) {
        return so ? "yes" : "no";
    }
}
