package dev.graft.cli.inspect;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Parameter;
import dev.graft.run.progress.UnitFormat;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The tensors that a method would train on a model, how many of them are alike in the layers, and their sum. */
record PlanView(Adapter adapter) implements View {

    @Override
    public String text() {
        Map<String, int[]> times = new LinkedHashMap<>();
        Map<String, Parameter> first = new LinkedHashMap<>();
        for (Parameter parameter : adapter.parameters().values()) {
            String alike =
                    parameter.key().replaceAll("(?<=\\.)\\d+(?=\\.)", "*") + shape(parameter) + parameter.trainable();
            times.computeIfAbsent(alike, key -> new int[1])[0]++;
            first.putIfAbsent(alike, parameter);
        }
        Table table = new Table("tensor", "shape", "times", "parameters", "");
        first.forEach((alike, parameter) -> {
            int count = times.getOrDefault(alike, new int[1])[0];
            String name = count == 1 ? parameter.key() : parameter.key().replaceAll("(?<=\\.)\\d+(?=\\.)", "*");
            table.row(
                    name,
                    shape(parameter),
                    Integer.toString(count),
                    String.format(Locale.ROOT, "%,d", count * parameter.value().numel()),
                    parameter.trainable() ? "" : "frozen");
        });
        Map<String, Integer> kinds = new LinkedHashMap<>();
        for (Site site : adapter.sites()) {
            kinds.merge(site.getClass().getSimpleName().toLowerCase(Locale.ROOT), 1, Integer::sum);
        }
        StringBuilder sites = new StringBuilder();
        kinds.forEach((kind, count) -> sites.append(sites.isEmpty() ? "" : ", ")
                .append(count)
                .append(' ')
                .append(kind));
        long bytes = 4 * adapter.trainableCount();
        return table + "\n" + adapter.method().type().name() + " acts on " + sites + " sites\n"
                + adapter.trainableLine()
                + "\nthe adapter's file has about " + UnitFormat.bytes(bytes) + "; gradients and AdamW's state take "
                + UnitFormat.bytes(3 * bytes) + " more while training\n";
    }

    private static String shape(Parameter parameter) {
        return Arrays.toString(Tensors.shape(parameter.value()));
    }

    @Override
    public String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("method", adapter.method().type().name());
        json.put("trainable", adapter.trainableCount());
        json.put("base_parameters", adapter.base().parameterCount());
        ArrayNode sites = json.putArray("sites");
        for (Site site : adapter.sites()) {
            sites.addObject()
                    .put("name", site.name())
                    .put("kind", site.getClass().getSimpleName().toLowerCase(Locale.ROOT))
                    .put("layer", site.layer());
        }
        ArrayNode tensors = json.putArray("tensors");
        for (Parameter parameter : adapter.parameters().values()) {
            ObjectNode one = tensors.addObject().put("name", parameter.key()).put("trainable", parameter.trainable());
            ArrayNode shape = one.putArray("shape");
            Arrays.stream(Tensors.shape(parameter.value())).forEach(shape::add);
        }
        return Json.pretty(json);
    }
}
