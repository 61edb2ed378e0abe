package dev.graft.cli.inspect;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.run.inspect.ModuleSummary;
import dev.graft.run.inspect.TargetChoice;
import dev.graft.run.model.LoadedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The modules of a model, with layers that are alike shown once, and what choices of targets would train. */
record ModelView(Base base, List<ModuleSummary> modules, List<TargetChoice> choices, int rank) implements View {

    ModelView(Base base, List<TargetChoice> choices, int rank) {
        this(base, ModuleSummary.of(base), choices, rank);
    }

    @Override
    public String text() {
        StringBuilder text = new StringBuilder();
        Table facts = new Table("", "");
        facts.row(
                "architecture",
                base.architecture().modelType() + ", " + base.task().name().toLowerCase(Locale.ROOT));
        facts.row("parameters", number(base.parameterCount()) + " in " + LoadedModel.precision(base));
        if (!base.quantized().isEmpty()) {
            facts.row("quantised", quantised());
        }
        facts.row(
                "size",
                base.backbone().layers() + " layers, width " + base.backbone().hiddenSize() + ", "
                        + number(base.backbone().vocabSize()) + " token ids, "
                        + (base.backbone().maxPositions() == Integer.MAX_VALUE
                                ? "any number of"
                                : number(base.backbone().maxPositions()))
                        + " positions");
        if (hasLabels()) {
            facts.row("labels", String.join(", ", base.labels()));
        }
        if (!base.newParameters().isEmpty()) {
            facts.row("random", String.join(", ", base.newParameters()) + ": not in the files, to be trained");
        }
        if (!base.unusedTensors().isEmpty()) {
            facts.row("unused", unused());
        }
        text.append(base.name()).append('\n').append(indented(facts)).append('\n');
        text.append(tree()).append('\n');
        Table table = new Table("choice", "target_modules", "modules", "parameters", "% of all");
        for (TargetChoice choice : choices) {
            table.row(
                    choice.name(),
                    choice.value(),
                    choice.modules(),
                    number(choice.parameters()),
                    String.format(Locale.ROOT, "%.3f", choice.percent()));
        }
        text.append("What LoRA of rank ")
                .append(rank)
                .append(" would train")
                .append(headNote())
                .append('\n');
        return text.append(table)
                .append("`--method NAME` shows another method; `graft methods` lists them.\n")
                .toString();
    }

    private boolean hasLabels() {
        return base.task().classifies();
    }

    private String headNote() {
        return hasLabels() || base.task() == Task.QUESTION_ANS ? " (the head counted among the modules)" : "";
    }

    private String unused() {
        List<String> names = new ArrayList<>(base.unusedTensors());
        String shown = String.join(", ", names.subList(0, Math.min(3, names.size())));
        return names.size() > 3 ? shown + " and " + (names.size() - 3) + " more tensors of the files" : shown;
    }

    private static String indented(Table facts) {
        return facts.toString().indent(2);
    }

    private String tree() {
        Table table = new Table("module", "role", "shape", "parameters");
        int from = 0;
        while (from < modules.size()) {
            int layer = modules.get(from).layer();
            int size = sizeOfLayer(from);
            if (layer < 0) {
                row(table, modules.get(from).name(), modules.get(from));
                from++;
                continue;
            }
            int layers = 1;
            while (isSameLayer(from, from + layers * size, size)) {
                layers++;
            }
            String name = modules.get(from).ofLayer();
            long each = modules.subList(from, from + size).stream()
                    .mapToLong(ModuleSummary::parameters)
                    .sum();
            table.row(
                    layers == 1 ? name : name + " to " + (layer + layers - 1),
                    layers == 1 ? "layer" : layers + " layers alike, each",
                    "",
                    number(each));
            for (ModuleSummary module : modules.subList(from, from + size)) {
                row(table, "  " + (module.inLayer().isEmpty() ? "(output)" : module.inLayer()), module);
            }
            from += layers * size;
        }
        return table.toString();
    }

    private static void row(Table table, String name, ModuleSummary module) {
        table.row(name, module.role(), module.shape(), module.parameters() == 0 ? "" : number(module.parameters()));
    }

    private int sizeOfLayer(int from) {
        int layer = modules.get(from).layer();
        return (int) IntStream.range(from, modules.size())
                .takeWhile(i -> modules.get(i).layer() == layer)
                .count();
    }

    private boolean isSameLayer(int first, int other, int size) {
        return other + size <= modules.size()
                && modules.get(other).layer() >= 0
                && sizeOfLayer(other) == size
                && IntStream.range(0, size).allMatch(i -> modules.get(first + i).hasSameShape(modules.get(other + i)));
    }

    private String quantised() {
        long values = 0;
        long bytes = 0;
        for (QuantizedMatrix matrix : base.quantized().values()) {
            values += matrix.rows() * matrix.columns();
            bytes += matrix.bytes();
        }
        return String.format(
                Locale.ROOT,
                "%d matrices of linear layers, %,d parameters in %,d bytes: %.3f bytes each",
                base.quantized().size(),
                values,
                bytes,
                (double) bytes / values);
    }

    private static String number(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    @Override
    public String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("name", base.name());
        json.put("architecture", base.architecture().modelType());
        json.put("task", base.task().name());
        json.put("parameters", base.parameterCount());
        json.put("dtype", LoadedModel.dtype(base));
        json.put("quantization", LoadedModel.quantization(base));
        json.put("parameter_bytes", base.parameterBytes());
        json.put("layers", base.backbone().layers());
        json.put("hidden_size", base.backbone().hiddenSize());
        json.put("vocab_size", base.backbone().vocabSize());
        json.put("max_positions", base.backbone().maxPositions());
        if (hasLabels()) {
            base.labels().forEach(json.putArray("labels")::add);
        }
        base.newParameters().forEach(json.putArray("fresh")::add);
        base.unusedTensors().forEach(json.putArray("unused")::add);
        ArrayNode list = json.putArray("modules");
        for (ModuleSummary module : modules) {
            list.addObject()
                    .put("name", module.name())
                    .put("kind", module.kind())
                    .put("role", module.role())
                    .put("layer", module.layer())
                    .put("shape", module.shape())
                    .put("parameters", module.parameters());
        }
        ArrayNode targets = json.putArray("targets");
        for (TargetChoice choice : choices) {
            targets.addObject()
                    .put("choice", choice.name())
                    .put("target_modules", choice.value())
                    .put("rank", rank)
                    .put("modules", choice.modules())
                    .put("parameters", choice.parameters())
                    .put("percent", choice.percent());
        }
        return Json.pretty(json);
    }
}
