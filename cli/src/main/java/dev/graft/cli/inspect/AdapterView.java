package dev.graft.cli.inspect;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.formats.TensorInfo;
import dev.graft.peft.Adapter;
import dev.graft.run.model.AdapterHeader;
import dev.graft.run.progress.UnitFormat;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The contents of adapters' folders, and the adapters' effect on their base where the user named one. */
record AdapterView(List<AdapterSummary> adapters) implements View {

    /**
     * One folder.
     *
     * @param config the fields of adapter_config.json
     * @param record those of graft.json, or null
     * @param tensors what its safetensors hold
     * @param loaded the adapter on a base, or null without one
     */
    record AdapterSummary(
            Path folder,
            Fields config,
            @Nullable Fields record,
            List<TensorInfo> tensors,
            @Nullable Adapter loaded) {

        static AdapterSummary of(Path folder, @Nullable Adapter loaded) {
            Path record = folder.resolve("graft.json");
            return new AdapterSummary(
                    folder,
                    Fields.read(AdapterHeader.config(folder)),
                    Files.isRegularFile(record) ? Fields.read(record) : null,
                    AdapterHeader.tensors(folder),
                    loaded);
        }

        private long parameters() {
            return tensors.stream().mapToLong(TensorInfo::elements).sum();
        }

        private long bytes() {
            return tensors.stream().mapToLong(TensorInfo::bytes).sum();
        }

        String text() {
            Table facts = new Table("", "");
            for (String name : config.names()) {
                JsonNode value = config.node(name);
                if (value != null && !value.isNull() && !(value.isContainer() && value.isEmpty())) {
                    facts.row(name, value.isString() ? value.stringValue() : Json.compact(value));
                }
            }
            if (record != null) {
                for (String name : record.names()) {
                    JsonNode value = record.node(name);
                    if (value != null) {
                        facts.row("graft.json " + name, value.isString() ? value.stringValue() : Json.compact(value));
                    }
                }
            }
            StringBuilder text = new StringBuilder();
            text.append(folder).append('\n').append(facts.toString().indent(2)).append('\n');
            text.append(tensorTable()).append('\n');
            text.append(String.format(
                    Locale.ROOT,
                    "%d tensors, %,d numbers, %s%n",
                    tensors.size(),
                    parameters(),
                    UnitFormat.bytes(bytes())));
            if (loaded != null) {
                text.append("fits ")
                        .append(loaded.base().name())
                        .append(": ")
                        .append(loaded.method().type().name())
                        .append(" on ")
                        .append(loaded.sites().size())
                        .append(" modules\n")
                        .append(loaded.trainableLine())
                        .append('\n');
            }
            return text.toString();
        }

        private String tensorTable() {
            Map<String, Integer> times = new LinkedHashMap<>();
            for (TensorInfo tensor : tensors) {
                String alike = tensor.name().replaceAll("(?<=\\.)\\d+(?=\\.)", "*") + "\n"
                        + Arrays.toString(tensor.shape()) + "\n" + tensor.dtype();
                times.merge(alike, 1, Integer::sum);
            }
            Table table = new Table("tensor", "shape", "type", "times");
            new TreeMap<>(times).forEach((alike, count) -> {
                String[] parts = alike.split("\n");
                table.row(parts[0], parts[1], parts[2], Integer.toString(count));
            });
            return table.toString();
        }

        ObjectNode json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("folder", folder.toString());
            json.set("config", object(config));
            if (record != null) {
                json.set("graft", object(record));
            }
            json.put("parameters", parameters());
            json.put("bytes", bytes());
            ArrayNode list = json.putArray("tensors");
            for (TensorInfo tensor : tensors) {
                ArrayNode shape = list.addObject()
                        .put("name", tensor.name())
                        .put("dtype", tensor.dtype().name())
                        .putArray("shape");
                Arrays.stream(tensor.shape()).forEach(shape::add);
            }
            if (loaded != null) {
                ObjectNode base = json.putObject("on_base");
                base.put("name", loaded.base().name());
                base.put("method", loaded.method().type().name());
                base.put("trainable", loaded.trainableCount());
                loaded.sites().forEach(site -> base.withArray("modules").add(site.name()));
            }
            return json;
        }

        private static ObjectNode object(Fields fields) {
            ObjectNode object = JsonNodeFactory.instance.objectNode();
            fields.names().forEach(name -> object.set(name, fields.node(name)));
            return object;
        }
    }

    @Override
    public String text() {
        return String.join("\n", adapters.stream().map(AdapterSummary::text).toList());
    }

    @Override
    public String json() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        adapters.forEach(one -> list.add(one.json()));
        return Json.pretty(JsonNodeFactory.instance.objectNode().set("adapters", list));
    }
}
