package dev.graft.parity;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Parameter;
import dev.graft.peft.Selection;
import dev.graft.peft.TaskHooks;
import dev.graft.peft.methods.mixture.MtlLora;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/** Adapters of AdapterHub: outputs, counts, saving and loading again, merging, and that the base is what it was. */
final class AdapterHubAdaptersParity implements CaseGroup {
    @Override
    public String name() {
        return "adapters";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 2)) {
            runner.run(CaseGroup.id(folder), check -> run(tree, tree.resolve(folder), check));
            String fault = leftPaddingFault(tree.resolve(folder));
            if (fault != null) {
                runner.run(CaseGroup.id(folder) + "/left-padding", check -> {
                    throw new NotCoveredException(fault);
                });
            }
        }
    }

    /** Why the reference's rows with padding on the left aren't to be compared, or null. */
    private static @Nullable String leftPaddingFault(Path folder) {
        JsonNode manifest = CaseGroup.manifest(folder);
        if (manifest.path("family").asString().equals("reft")
                && manifest.path("inputs")
                        .valueStream()
                        .anyMatch(name -> name.asString().equals("decoder_input_ids"))) {
            return "the reference takes the positions that a decoder's ReFT edits from the encoder's";
        }
        Path config = folder.resolve(AdapterFiles.CONFIG);
        return Files.exists(config)
                        && Json.read(config)
                                .path("config")
                                .path("combine")
                                .asString("")
                                .equals("prefix_after_bos")
                ? "the reference puts the prompt's mask before the first position, and the prompt behind it"
                : null;
    }

    private static void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        if (manifest.has("adapter_names")) {
            runTasks(tree, folder, manifest, check);
            return;
        }
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        AdapterHubBase reference = AdapterHubBase.load(tree, manifest, folder);
        Base base = reference.base();
        JsonNode corrections = manifest.path("config_corrections");
        try (ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            Inputs in = reference.inputs(stored, manifest);
            Adapter adapter = AdapterHubFiles.load(base, folder, corrections);
            String checksum = base.checksum();
            if (!corrections.has("flat")) {
                // An ejected prefix was counted before.
                counts(check, adapter, manifest);
            }

            ModelOutputs outputs = reference.outputs(base, in, hooks(adapter, manifest));
            ModelOutputs comparable = leftPaddingFault(folder) == null
                    ? outputs
                    : outputs.where(in.mask().select(1, 0));
            compare(check, comparable, stored, manifest, tolerance);
            AdapterFiles.saved(adapter, saved -> {
                AdapterHubFiles.compare(
                        check,
                        saved,
                        folder,
                        corrections,
                        base,
                        manifest.path("adapter_name").asString());
                Adapter again = Adapter.load(base, saved);
                reference
                        .outputs(base, in, hooks(again, manifest))
                        .compare(check, outputs, "after saving and loading", Tolerance.EXACT);
            });
            if (adapter.method().type().capabilities().mergeable() && !manifest.has("skip_layers")) {
                merge(check, reference, adapter, in, outputs, tolerance);
            }
            check.same("the base's checksum afterwards", base.checksum(), checksum);
            stored.requireAllRead(check);
        }
    }

    /** A folder for each task: alone on the rows of its task, and all as one adapter. */
    private static void runTasks(Path tree, Path folder, JsonNode manifest, CaseCheck check) {
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        AdapterHubBase reference = AdapterHubBase.load(tree, manifest, folder);
        Base base = reference.base();
        try (ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            Inputs in = reference.inputs(stored, manifest);
            int[] tasks = Arrays.stream(Tensors.longs(stored.get("task_ids")))
                    .mapToInt(Math::toIntExact)
                    .toArray();
            List<Adapter> each = new ArrayList<>();
            for (JsonNode name : manifest.path("adapter_names")) {
                Path own = folder.resolve(name.asString());
                Adapter adapter = AdapterFiles.load(base, own);
                each.add(adapter);
                AdapterFiles.saved(
                        adapter,
                        saved -> AdapterHubFiles.compare(
                                check, saved, own, MissingNode.getInstance(), base, name.asString()));
            }
            Selection rows = Selection.rows(Arrays.stream(tasks)
                    .mapToObj(task -> Selection.of(each.get(task)))
                    .toList());
            ModelOutputs outputs = reference.outputs(base, in, rows.hooks());
            compare(check, outputs, stored, manifest, tolerance);
            reference
                    .outputs(base, in, TaskHooks.of(MtlLora.join(each)).forTasks(tasks))
                    .compare(check, outputs, "joined", tolerance);
            stored.requireAllRead(check);
        }
    }

    private static Hooks hooks(Adapter adapter, JsonNode manifest) {
        Set<Integer> skipped = new HashSet<>();
        manifest.path("skip_layers").forEach(layer -> skipped.add(layer.intValue()));
        return Selection.of(adapter).skipping(skipped).hooks();
    }

    /** The library's results, or the right ones where the manifest has such. */
    static void compare(
            CaseCheck check, ModelOutputs outputs, ReferenceTensors stored, JsonNode manifest, Tolerance tolerance) {
        boolean wrong = manifest.has("right") && !manifest.path("right").isNull();
        outputs.compare(check, wrong ? "right." : "", stored, tolerance);
        if (wrong) {
            outputs.values().keySet().forEach(stored::ignore);
        }
        stored.ignore("library_reload.");
    }

    private static void counts(CaseCheck check, Adapter adapter, JsonNode manifest) {
        long own = 0;
        long frozen = 0;
        for (Parameter parameter : adapter.parameters().values()) {
            boolean ofHead = parameter.key().startsWith("heads.")
                    || adapter.base().head().sites().stream()
                            .anyMatch(site -> parameter.key().startsWith(site.name() + "."));
            if (!ofHead) {
                own += parameter.trainable() ? parameter.value().numel() : 0;
                frozen += parameter.trainable() ? 0 : parameter.value().numel();
            }
        }
        JsonNode expected = manifest.path("trainable_parameters");
        check.same("trainable parameters", own, expected.path("adapter").longValue());
        if (frozen > 0) {
            check.same(
                    "frozen numbers in the file",
                    frozen,
                    expected.path("frozen_adapter_tensors").longValue());
        }
    }

    private static void merge(
            CaseCheck check,
            AdapterHubBase reference,
            Adapter adapter,
            Inputs in,
            ModelOutputs outputs,
            Tolerance tolerance) {
        Base merged;
        try {
            merged = Merge.merge(adapter);
        } catch (dev.graft.formats.InputException gated) {
            check.names(gated, "merge", "it merges, but: " + gated.getMessage());
            return;
        }
        reference.outputs(merged, in, Hooks.NONE).compare(check, outputs, "merged", tolerance);
    }
}
