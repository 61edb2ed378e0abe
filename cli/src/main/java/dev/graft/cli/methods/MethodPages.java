package dev.graft.cli.methods;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.run.methods.MethodCatalog;
import dev.graft.run.methods.MethodEntry;
import dev.graft.run.methods.MethodFactory;
import dev.graft.run.methods.MethodOption;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The registered methods as a table, and one of them as a page; as text, as JSON and as Markdown. */
final class MethodPages {
    private static final int WIDTH = 100;

    private MethodPages() {}

    static String table() {
        Table can = new Table(
                "method", "family", "effect", "merges", "mixed batch", "starts as the base", "tasks", "files");
        Table what = new Table("", "");
        for (Method.Type type : Methods.all()) {
            MethodEntry entry = MethodCatalog.describe(type);
            can.row(
                    type.name(),
                    entry.family(),
                    String.join(" ", entry.effects()),
                    yes(type.capabilities().mergeable()),
                    // The contract that every method is tested by has it so.
                    yes(true),
                    yes(type.capabilities().identityAtStart()),
                    String.join(" ", tasks(type)),
                    files(type));
            what.row(type.name(), type.summary());
        }
        return can + "\n" + what + "\n`graft methods NAME` shows the formula and the options of a method.\n";
    }

    static String tableJson() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        Methods.all().forEach(type -> list.add(json(type, MethodCatalog.describe(type))));
        return Json.pretty(JsonNodeFactory.instance.objectNode().set("methods", list));
    }

    private static List<String> tasks(Method.Type type) {
        List<String> tasks = new ArrayList<>();
        if (type.capabilities().encoder()) {
            tasks.add("encoder");
        }
        if (type.capabilities().decoder()) {
            tasks.add("decoder");
        }
        return tasks;
    }

    static String page(String name) {
        Method.Type type = MethodFactory.named(name);
        MethodEntry entry = MethodCatalog.describe(type);
        List<MethodOption> options = entry.options();
        StringBuilder page = new StringBuilder(name + ": " + type.summary() + "\n\n");
        entry.documentation().lines().forEach(line -> page.append(wrapped(line, "")));
        page.append("\n")
                .append(new Table("", "")
                        .row("  family", entry.family())
                        .row("  effect", String.join(", ", entry.effects()))
                        .row("  acts on", String.join(", ", entry.adaptedKinds()))
                        .row("  merges into the base", yes(type.capabilities().mergeable()))
                        .row("  a row of a mixed batch may have it", yes(true))
                        .row(
                                "  a new adapter leaves the base's output as it is",
                                yes(type.capabilities().identityAtStart()))
                        .row("  works on", String.join("s, ", tasks(type)) + "s")
                        .row("  files", files(type)));
        if (!options.isEmpty()) {
            page.append("\nOptions\n");
        }
        for (MethodOption option : options) {
            String theirs = option.shownPeftDefault();
            page.append(wrapped(
                    "  " + name + "." + option.name() + "  " + option.type() + "; default " + option.shownDefault()
                            + (theirs.isEmpty() ? "" : ", PEFT's " + theirs),
                    "      "));
            if (!option.meaning().isEmpty()) {
                page.append(wrapped("      " + option.meaning(), "      "));
            }
        }
        page.append("\nExamples\n  graft inspect smollm2 --method ")
                .append(name)
                .append(example(options, " -o "));
        page.append("\n  graft train --model smollm2 --data chats.jsonl --method ")
                .append(name);
        page.append(example(options, " " + name + ".")).append('\n');
        if (entry.builtIn()) {
            page.append("\nCost, and when to use it: docs/methods/")
                    .append(name)
                    .append(".md\n");
        }
        return page.toString();
    }

    /** A line in lines of at most {@link #WIDTH} columns, those after the first indented. */
    private static String wrapped(String line, String indent) {
        StringBuilder lines = new StringBuilder();
        String rest = line;
        boolean code = indent.isEmpty() && line.startsWith("    ");
        while (rest.length() > WIDTH && !code) {
            int space = rest.lastIndexOf(' ', WIDTH);
            if (space <= indent.length()) {
                break;
            }
            lines.append(rest, 0, space).append('\n');
            rest = indent + rest.substring(space + 1);
        }
        return lines.append(rest).append('\n').toString();
    }

    private static String example(List<MethodOption> options, String before) {
        for (String wanted : List.of("r", "num_virtual_tokens", "reduction_factor")) {
            if (options.stream().anyMatch(option -> option.name().equals(wanted))) {
                return before + wanted + "=8";
            }
        }
        return "";
    }

    /** The part of a method's page in docs/methods that is made from the code. */
    static String reference(Method.Type type) {
        MethodEntry entry = MethodCatalog.describe(type);
        StringBuilder page = new StringBuilder("## Reference\n\n| | |\n|---|---|\n");
        page.append("| effect | ").append(String.join(", ", entry.effects())).append(" |\n");
        page.append("| merges | ").append(yes(type.capabilities().mergeable())).append(" |\n");
        page.append("| starts as the base | ")
                .append(yes(type.capabilities().identityAtStart()))
                .append(" |\n");
        page.append("| works on | ").append(String.join(", ", tasks(type))).append(" |\n");
        page.append("| files | ").append(files(type)).append(" |\n");
        List<MethodOption> options = entry.options();
        if (!options.isEmpty()) {
            page.append("\n| option | type | default | PEFT's default | meaning |\n|---|---|---|---|---|\n");
        }
        for (MethodOption option : options) {
            page.append("| `").append(option.name()).append("` | ");
            page.append(cell(option.type())).append(" | ");
            page.append(cell(option.shownDefault())).append(" | ");
            page.append(cell(option.shownPeftDefault())).append(" | ");
            page.append(cell(option.meaning())).append(" |\n");
        }
        return page.toString();
    }

    private static String cell(String text) {
        return text.replace("|", "\\|");
    }

    static String pageJson(String name) {
        Method.Type type = MethodFactory.named(name);
        MethodEntry entry = MethodCatalog.describe(type);
        ObjectNode page = json(type, entry);
        page.put("documentation", entry.documentation());
        ArrayNode options = page.putArray("options");
        for (MethodOption option : entry.options()) {
            ObjectNode one = options.addObject();
            one.put("name", option.name());
            one.put("type", option.type());
            one.set("default", option.fromBase() ? JsonNodeFactory.instance.nullNode() : option.byDefault());
            one.put("default_from_base", option.fromBase());
            one.set("peft_default", option.peft());
            one.put("meaning", option.meaning());
        }
        return Json.pretty(page);
    }

    private static ObjectNode json(Method.Type type, MethodEntry entry) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("name", type.name());
        json.put("summary", type.summary());
        json.put("family", entry.family());
        entry.effects().forEach(json.putArray("effects")::add);
        entry.adaptedKinds().forEach(json.putArray("acts_on")::add);
        json.put("mergeable", type.capabilities().mergeable());
        json.put("mixed_batch", true);
        json.put("identity_at_start", type.capabilities().identityAtStart());
        tasks(type).forEach(json.putArray("tasks")::add);
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
