package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.mixture.XLora;
import dev.graft.peft.methods.mixture.XLoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** Several adapters on one base: another one for each row, all of them at once, weighted sums. */
final class CompositionParity implements CaseGroup {
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

    private static void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        MethodTypes.require(manifest.path("peft_type").asString());
        try (ReferenceBase reference =
                        ReferenceBase.load(tree.resolve(manifest.path("base").asString()));
                ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            Map<String, Adapter> adapters = new LinkedHashMap<>();
            for (JsonNode name : manifest.path("adapters")) {
                adapters.put(name.asString(), AdapterFiles.load(reference.base(), folder.resolve(name.asString())));
            }
            if (manifest.path("peft_type").asString().equals("XLORA")) {
                Adapter mixture = mixture(reference.base(), folder, adapters, stored);
                compare(check, reference, Selection.of(mixture), "", stored, tolerance);
            }
            if (manifest.has("router")) {
                Adapter router = AdapterFiles.load(
                        reference.base(), folder.resolve(manifest.path("router").asString()));
                compare(check, reference, Selection.of(router), "", stored, tolerance);
            }
            if (manifest.has("weights")) {
                WeightedMergeParity.check(
                        check, reference, folder, List.copyOf(adapters.values()), manifest, stored, tolerance);
            }
            if (manifest.has("mixed_batch")) {
                mixed(check, reference, adapters, manifest.path("mixed_batch"), stored, tolerance);
            }
            adapters.forEach((name, adapter) ->
                    compare(check, reference, Selection.of(adapter), "single." + name + ".", stored, tolerance));
            if (manifest.has("several_active")) {
                active(check, reference, adapters, manifest.path("several_active"), stored, tolerance);
            }
            stored.requireAllRead(check);
        }
    }

    /** An X-LoRA of the adapters with the classifier that the reference had in memory: what it saves lacks a part of it. */
    private static Adapter mixture(Base base, Path folder, Map<String, Adapter> adapters, ReferenceTensors stored) {
        XLoraConfig config = XLoraConfig.read(Fields.read(folder.resolve("saved/adapter_config.json")));
        Adapter mixture =
                Adapter.create(base, XLora.of(List.copyOf(adapters.values())).with(config), 0);
        try (NoGrad noGrad = new NoGrad()) {
            mixture.trainable().forEach((key, value) -> value.copy_(stored.get("classifier.base_model." + key)));
        }
        return mixture;
    }

    private static Selection selection(Map<String, Adapter> adapters, JsonNode name) {
        if (name.asString().equals("__base__")) {
            return Selection.BASE;
        }
        Adapter adapter = adapters.get(name.asString());
        if (adapter == null) {
            throw new IllegalArgumentException(
                    "the manifest names an adapter " + name + ", there are " + adapters.keySet());
        }
        return Selection.of(adapter);
    }

    private static void mixed(
            CaseCheck check,
            ReferenceBase reference,
            Map<String, Adapter> adapters,
            JsonNode batch,
            ReferenceTensors stored,
            Tolerance tolerance) {
        List<Selection> rows = new ArrayList<>();
        for (JsonNode name : batch.path("adapter_names")) {
            rows.add(selection(adapters, name));
        }
        check.that(!stored.startingWith("mixed.").isEmpty(), "there is no mixed.* to compare");
        compare(check, reference, Selection.rows(rows), "mixed.", stored, tolerance);
    }

    private static void active(
            CaseCheck check,
            ReferenceBase reference,
            Map<String, Adapter> adapters,
            JsonNode several,
            ReferenceTensors stored,
            Tolerance tolerance) {
        Selection all = Selection.all(several.path("active")
                .valueStream()
                .map(name -> selection(adapters, name))
                .toArray(Selection[]::new));
        Base merged = Merge.merge(reference.base(), all);
        // Where the reference contradicts itself both of its results are stored; ours can't differ from each other.
        String right = nearer(all, reference, stored);
        compare(check, reference, all, right, stored, tolerance);
        reference.outputs(merged, reference.inputs(), Hooks.NONE).compare(check, right, stored, tolerance);
        stored.ignore("active_unmerged.");
        stored.ignore("active_merged.");
    }

    /** Returns the nearer of the reference's two results: with the adapters beside the base, or merged into it. */
    private static String nearer(Selection all, ReferenceBase reference, ReferenceTensors stored) {
        String nearest = "active_unmerged.";
        double least = Double.POSITIVE_INFINITY;
        ModelOutputs ours = reference.outputs(reference.base(), reference.inputs(), all.hooks());
        for (String prefix : new String[] {"active_unmerged.", "active_merged."}) {
            double distance = 0;
            for (String name : stored.startingWith(prefix)) {
                Tensor value = ours.values().get(name.substring(prefix.length()));
                distance += value == null
                        ? 0
                        : Tensors.item(value.sub(stored.get(name)).norm());
            }
            if (!stored.startingWith(prefix).isEmpty() && distance < least) {
                nearest = prefix;
                least = distance;
            }
        }
        return nearest;
    }

    private static void compare(
            CaseCheck check,
            ReferenceBase reference,
            Selection selection,
            String prefix,
            ReferenceTensors stored,
            Tolerance tolerance) {
        if (!stored.startingWith(prefix).isEmpty()) {
            reference
                    .outputs(reference.base(), reference.inputs(), selection.hooks())
                    .compare(check, prefix, stored, tolerance);
        }
    }
}
