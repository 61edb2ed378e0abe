package dev.graft.parity;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.bottleneck.Fusion;
import dev.graft.peft.methods.bottleneck.Parallel;
import dev.graft.peft.methods.bottleneck.ScaledParallel;
import dev.graft.peft.methods.reft.ReftMethod;
import dev.graft.tensor.Ops;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Several adapters of AdapterHub at once: stacks, rows of a batch, copies of a batch, fusions. */
final class AdapterHubCompositionParity implements CaseGroup {
    private static final Pattern LEFT_OUT = Pattern.compile("leave_out=\\[(\\d+)]");

    @Override
    public String name() {
        return "composition";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 2)) {
            runner.run(CaseGroup.id(folder), check -> run(tree, tree.resolve(folder), check));
        }
    }

    /** A setup on one base: a selection for each row of some copies of the batch. */
    private record Setup(Base base, Path folder, Map<String, Adapter> adapters) {
        /** Returns the selection for each row of a batch of that many rows. */
        List<Selection> rows(JsonNode node, int batch) {
            List<JsonNode> children = new ArrayList<>();
            node.path("children").forEach(children::add);
            switch (node.path("type").asString()) {
                case "single" -> {
                    return Collections.nCopies(
                            batch,
                            Selection.of(adapter(node.path("children").get(0).asString())));
                }
                case "Stack" -> {
                    return stacked(children, batch);
                }
                case "BatchSplit" -> {
                    List<Selection> rows = new ArrayList<>();
                    for (int i = 0; i < children.size(); i++) {
                        int size =
                                node.path("kwargs").path("batch_sizes").get(i).intValue();
                        rows.addAll(rows(children.get(i), size));
                    }
                    return rows;
                }
                case "Parallel" -> {
                    List<Selection> rows = new ArrayList<>();
                    children.forEach(child -> rows.addAll(rows(child, batch / children.size())));
                    return rows;
                }
                case "Average" -> {
                    return averaged(node, children, batch);
                }
                case "Split" -> {
                    return split(node, children, batch);
                }
                case "Fuse" -> {
                    List<String> names = new ArrayList<>();
                    for (JsonNode child : children) {
                        JsonNode last = child;
                        while (last.isObject()) {
                            last = last.path("children")
                                    .get(last.path("children").size() - 1);
                        }
                        names.add(last.asString());
                    }
                    Path fusion = folder.resolve(String.join(",", names)).resolve("adapter_fusion_config.json");
                    Adapter fused = NotCoveredException.unlessRefused(
                            fusion, () -> Fusion.load(base, folder, String.join(",", names)));
                    return Collections.nCopies(batch, Selection.of(fused));
                }
                default ->
                    throw new NotCoveredException(
                            "the composition " + node.path("type").asString());
            }
        }

        private List<Selection> averaged(JsonNode node, List<JsonNode> children, int batch) {
            List<Double> weights = new ArrayList<>();
            node.path("kwargs").path("weights").forEach(weight -> weights.add(weight.doubleValue()));
            return joined(children, batch, each -> Selection.average(each, weights));
        }

        private List<Selection> split(JsonNode node, List<JsonNode> children, int batch) {
            List<Integer> lengths = new ArrayList<>();
            node.path("kwargs").path("splits").forEach(length -> lengths.add(length.intValue()));
            return joined(children, batch, each -> Selection.split(each, lengths));
        }

        /** Returns for each row the composition of the children's selections. */
        private List<Selection> joined(
                List<JsonNode> children, int batch, Function<List<Selection>, Selection> together) {
            List<List<Selection>> each = children.stream()
                    .map(child ->
                            child.path("type").asString().equals("Stack") ? prepared(child, batch) : rows(child, batch))
                    .toList();
            return IntStream.range(0, batch)
                    .mapToObj(row -> together.apply(
                            each.stream().map(list -> list.get(row)).toList()))
                    .toList();
        }

        /** The reference prepares what a stack reads once more where the stack is a part of something else. */
        private List<Selection> prepared(JsonNode stack, int batch) {
            Adapter first = adapter(
                    stack.path("children").get(0).path("children").get(0).asString());
            AdapterConfig config = AdapterConfig.of(base, new RepeatedResidualNorm(first.sites()))
                    .withModulesToSave(List.of());
            Selection preparing = Selection.of(Adapter.create(base, config, 0));
            return rows(stack, batch).stream()
                    .map(selection -> Selection.all(preparing, selection))
                    .toList();
        }

        /**
         * Returns the selection of a stack for each row. In AdapterHub's stacks only the last of several parallel adapters has an effect,
         * and only the first of several ReFTs.
         */
        private List<Selection> stacked(List<JsonNode> children, int batch) {
            List<JsonNode> acting = new ArrayList<>(children);
            List<JsonNode> parallel = children.stream().filter(this::isParallel).toList();
            List<JsonNode> refts = children.stream().filter(this::isReft).toList();
            acting.removeAll(parallel.isEmpty() ? List.of() : parallel.subList(0, parallel.size() - 1));
            acting.removeAll(refts.isEmpty() ? List.of() : refts.subList(1, refts.size()));
            List<List<Selection>> each =
                    acting.stream().map(child -> rows(child, batch)).toList();
            List<Selection> rows = new ArrayList<>();
            for (int row = 0; row < batch; row++) {
                int at = row;
                rows.add(Selection.all(each.stream().map(list -> list.get(at)).toArray(Selection[]::new)));
            }
            return rows;
        }

        private boolean isParallel(JsonNode node) {
            return node.path("type").asString().equals("single")
                    && (method(node) instanceof Parallel || method(node) instanceof ScaledParallel);
        }

        private boolean isReft(JsonNode node) {
            return node.path("type").asString().equals("single") && method(node) instanceof ReftMethod;
        }

        private Object method(JsonNode single) {
            return adapter(single.path("children").get(0).asString()).method();
        }

        private Adapter adapter(String name) {
            return adapters.computeIfAbsent(name, n -> AdapterFiles.load(base, folder.resolve(n)));
        }
    }

    private static void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Path file = folder.resolve("adapter_setup.json");
        if (!Files.exists(file)) {
            AdapterHubMergingParity.run(tree, folder, manifest, check);
            return;
        }
        JsonNode setup = Json.read(file);
        List<@Nullable Path> heads = heads(folder, setup.path("head_setup"));
        try (ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            if (stored.has("logits.forward_0")) {
                cooling(tree, folder, manifest, Objects.requireNonNull(heads.get(0)), stored, check);
                return;
            }
            for (int i = 0; i < heads.size(); i++) {
                run(tree, folder, manifest, setup.path("adapter_setup"), heads.get(i), i, heads.size(), stored, check);
            }
            stored.ignore("library_reload.");
            stored.requireAllRead(check);
        }
    }

    /** The reference's temperature falls with every forward pass: here each is set to what it is in the passes that are stored. */
    private static void cooling(
            Path tree, Path folder, JsonNode manifest, Path head, ReferenceTensors stored, CaseCheck check) {
        AdapterHubBase reference = AdapterHubBase.load(tree, manifest, head);
        Inputs in = reference.inputs(stored, manifest);
        Adapter fusion = Fusion.load(reference.base(), folder, "a,b");
        TrainingRule rule = fusion.method().trainingRule(fusion, new TrainingRule.Run(1000, 1000, 1e-3, 0));
        for (int forward : new int[] {0, 500, 985}) {
            rule.beforeStep(forward);
            String name = "logits.forward_" + forward;
            reference
                    .outputs(reference.base(), in, Selection.of(fusion).hooks())
                    .compare(check, "logits", stored.get(name), name, Tolerance.read(manifest.path("tolerance")));
        }
        stored.requireAllRead(check);
    }

    /** The folders of the heads: one, several for as many parts of the batch, or none beside the base's own. */
    private static List<@Nullable Path> heads(Path folder, JsonNode setup) {
        List<String> names = new ArrayList<>();
        if (setup.isString()) {
            names.add(setup.asString());
        }
        JsonNode list = setup.isArray() ? setup : setup.path("children");
        list.forEach(child -> names.add(
                child.isString()
                        ? child.asString()
                        : child.path("children").get(0).asString()));
        List<@Nullable Path> heads = new ArrayList<>();
        for (String name : names) {
            Path head = folder.resolve(name);
            heads.add(Files.exists(head.resolve("head_config.json")) ? head : null);
        }
        if (heads.isEmpty()) {
            heads.add(null);
        }
        return heads;
    }

    private static void run(
            Path tree,
            Path folder,
            JsonNode manifest,
            JsonNode node,
            @Nullable Path head,
            int number,
            int heads,
            ReferenceTensors stored,
            CaseCheck check) {
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        AdapterHubBase reference = AdapterHubBase.load(tree, manifest, head);
        Inputs in = copies(reference.inputs(stored, manifest), parallel(node));
        Setup setup = new Setup(reference.base(), folder, new LinkedHashMap<>());
        Selection selection = Selection.rows(setup.rows(node, Math.toIntExact(in.rows())));
        Matcher leftOut = LEFT_OUT.matcher(manifest.path("setup").asString(""));
        if (leftOut.find()) {
            selection = selection.skipping(Set.of(Integer.valueOf(leftOut.group(1))));
        }
        ModelOutputs outputs = reference.outputs(reference.base(), in, selection.hooks());
        if (heads == 1) {
            AdapterHubAdaptersParity.compare(check, outputs, stored, manifest, tolerance);
            return;
        }
        if (number == 0) {
            for (String name : List.of("last_hidden_state", "pooler_output")) {
                if (stored.has(name)) {
                    outputs.compare(check, name, stored.get(name), name, tolerance);
                }
            }
        }
        // Each head reads its part of the batch: parts of equal size, or as the batch is split.
        Tensor expected = stored.get("logits." + number);
        long from = 0;
        for (int i = 0; i < number; i++) {
            from += stored.get("logits." + i).size(0);
        }
        Tensor logits = outputs.values().get("logits");
        if (logits == null) {
            throw new IllegalStateException("a head without logits");
        }
        check.tensor("logits." + number, logits.narrow(0, from, expected.size(0)), expected, tolerance);
    }

    /** Returns how often AdapterHub repeats the batch. */
    private static int parallel(JsonNode node) {
        int copies = node.path("type").asString().equals("Parallel")
                ? node.path("children").size()
                : 1;
        for (JsonNode child : node.path("children")) {
            copies = Math.max(copies, child.isObject() ? parallel(child) : 1);
        }
        return copies;
    }

    private static Inputs copies(Inputs in, int count) {
        Tensor types = in.typeIds();
        return count == 1
                ? in
                : new Inputs(
                        repeated(in.ids(), count),
                        repeated(in.mask(), count),
                        types == null ? null : repeated(types, count),
                        null);
    }

    private static Tensor repeated(Tensor tensor, int count) {
        return Ops.cat(0, Collections.nCopies(count, tensor).toArray(Tensor[]::new));
    }
}
