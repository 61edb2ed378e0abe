package dev.graft.parity;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Adapters on a model: outputs, loss, gradients, merging, saving and loading again, counts, targeted modules, generation, and that the
 * base is what it was.
 */
final class AdaptersParity implements CaseGroup {
    /** Prefixes of the reference outputs that the manifest marks as wrong. */
    private static final Set<String> WRONG = Set.of("peft_without_token_types.", "generate.sequences_as_");

    /** A penalty is the same in every run; this one is long enough for any schedule. */
    private static final TrainingRule.Run ANY_RUN = new TrainingRule.Run(Integer.MAX_VALUE, 1, 1, 1);

    private static final Pattern ALL = Pattern.compile("all params: ([\\d,]+)");

    @Override
    public String name() {
        return "adapters";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 2)) {
            runner.run(CaseGroup.id(folder), check -> run(tree, tree.resolve(folder), check));
            ReferenceGradients.reportIfWrong(tree.resolve(folder), CaseGroup.id(folder), runner);
        }
    }

    private static void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        String dtype = manifest.path("base_dtype").asString("float32");
        try (ReferenceBase reference =
                        ReferenceBase.load(tree.resolve(manifest.path("base").asString()), dtype);
                ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            ModelOutputs before = reference.outputs(reference.base(), reference.inputs(), Hooks.NONE);
            Adapter adapter = AdapterFiles.load(reference.base(), folder);
            WRONG.forEach(stored::ignore);
            String checksum = reference.base().checksum();
            Hooks hooks = selection(adapter, manifest, stored).hooks();

            TensorListing.compare(check, folder.resolve(AdapterFiles.TENSORS), manifest.path("tensors"));
            boolean described = isDescribed(folder, stored);
            if (described) {
                counts(check, adapter, manifest);
                AdaptedModules.compare(check, adapter, manifest.path("layers"));
            }
            if (!described || !ReferenceGradients.areRight(manifest)) {
                stored.ignore("grad.");
            }

            ForwardPass pass = ForwardPass.inference(hooks);
            Base base = adapter.base();
            HiddenStates hidden = base.forward(reference.inputs(), pass);
            ModelOutputs outputs = ModelOutputs.of(base, hidden, pass);
            outputs.compare(check, "", stored, tolerance);
            check.same("the outputs", outputs.values().keySet(), names(manifest.path("outputs")));
            if (stored.has("loss")) {
                Tensor loss = reference.loss(base, hidden, pass);
                // PEFT's model adds AdaLoRA's penalty to its loss; those of KaSA and MonteCLoRA are its trainers' to
                // add.
                Tensor penalty = manifest.path("peft_type").asString("").equals("ADALORA")
                        ? adapter.method().trainingRule(adapter, ANY_RUN).penalty()
                        : null;
                if (penalty == null || described) {
                    loss = penalty == null ? loss : loss.add(penalty);
                    check.tensor("loss", loss.reshape(1), stored.get("loss"), tolerance.atLeast(1e-4));
                } else {
                    // The reference's loss has a penalty on tensors that its file lacks.
                    stored.ignore("loss");
                }
                if (described && ReferenceGradients.areRight(manifest)) {
                    ReferenceGradients.compare(check, loss, adapter, stored, tolerance);
                }
            }
            merge(check, reference, adapter, outputs, stored, manifest, tolerance);
            AdapterFiles.saved(adapter, saved -> {
                AdapterFiles.compare(check, saved, folder);
                Adapter again = Adapter.load(reference.base(), saved);
                reference
                        .outputs(
                                again.base(),
                                reference.inputs(),
                                selection(again, manifest, stored).hooks())
                        .compare(check, outputs, "after saving and loading", Tolerance.EXACT);
            });
            if (stored.has("generate.sequences")) {
                boolean prompt = hidden.prompt() > 0 || manifest.path("layers").isMissingNode();
                new GreedyDecoding(reference, base, hooks, !prompt).compare(check, stored, tolerance);
            }
            check.same("the base's checksum afterwards", reference.base().checksum(), checksum);
            ModelOutputs without = reference.outputs(reference.base(), reference.inputs(), Selection.BASE.hooks());
            without.compare(check, before, "without the adapter", Tolerance.EXACT);
            if (dtype.equals("float32")) {
                // Those of rounded weights aren't stored.
                without.compare(check, "", reference.reference(), tolerance);
            }
            stored.requireAllRead(check);
        }
    }

    /** The adapter on all rows, or on each for the task that it is given. */
    private static Selection selection(Adapter adapter, JsonNode manifest, ReferenceTensors stored) {
        Set<String> own = names(manifest.path("inputs").path("own"));
        if (own.isEmpty()) {
            return Selection.of(adapter);
        }
        if (!own.equals(Set.of("task_ids"))) {
            throw new NotCoveredException("inputs " + own);
        }
        return Selection.rows(Arrays.stream(Tensors.longs(stored.get("task_ids")))
                .mapToObj(task -> Selection.of(adapter.task(Math.toIntExact(task))))
                .toList());
    }

    /**
     * Returns whether counts and gradients belong to the tensors in the file. The reference saves some adapters in another form than it
     * trained: PiSSA as a plain LoRA of twice the rank, a prefix without the network that computed it. Then they belong to tensors that no
     * file contains.
     */
    private static boolean isDescribed(Path folder, ReferenceTensors stored) {
        try (TensorSource file = Safetensors.open(folder.resolve(AdapterFiles.TENSORS))) {
            Map<String, long[]> shapes = new HashMap<>();
            file.names()
                    .forEach(name -> shapes.put(
                            ReferenceGradients.plain(name), file.info(name).shape()));
            for (String name : stored.startingWith("grad.")) {
                long[] shape = shapes.get(ReferenceGradients.inFile(name.substring("grad.".length())));
                if (shape == null
                        || !Arrays.equals(shape, stored.source().info(name).shape())) {
                    return false;
                }
            }
            return true;
        }
    }

    /** The reference counts what it trained, which files of prompts may hold in another form: then a new adapter has as much. */
    private static void counts(CaseCheck check, Adapter loaded, JsonNode manifest) {
        long trained = manifest.path("trainable_parameters").longValue();
        boolean encoded = loaded.method().type().layout() == Method.Layout.PEFT_PROMPT;
        Adapter adapter = !encoded || loaded.trainableCount() == trained
                ? loaded
                : Adapter.create(loaded.base(), loaded.config(), 1);
        check.same("trainable_parameters", adapter.trainableCount(), trained);
        Matcher all = ALL.matcher(adapter.trainableLine());
        check.that(all.find(), adapter.trainableLine() + " has no count of all parameters");
        check.same(
                "all_parameters",
                Long.valueOf(all.group(1).replace(",", "")),
                manifest.path("all_parameters").longValue());
    }

    private static Set<String> names(JsonNode array) {
        return array.valueStream().map(JsonNode::asString).collect(Collectors.toSet());
    }

    /** Merged weights equal the stored ones, and the merged base answers as the adapter does. */
    private static void merge(
            CaseCheck check,
            ReferenceBase reference,
            Adapter adapter,
            ModelOutputs outputs,
            ReferenceTensors stored,
            JsonNode manifest,
            Tolerance tolerance) {
        // Stored only where the reference library's merged model answers differently: what it should have been is the
        // adapter's output.
        stored.ignore("merged.");
        Base merged = merged(check, adapter, manifest);
        if (merged == null) {
            // What the reference library gets by merging all the same.
            stored.ignore("merged_weight.");
            return;
        }
        Map<String, Tensor> values = merged.parameters();
        for (String name : stored.startingWith("merged_weight.")) {
            String parameter = name.substring("merged_weight.".length());
            Tensor value = values.get(parameter);
            if (value == null) {
                check.that(false, "the merged base has no parameter " + parameter);
            } else {
                check.tensor(name, value, stored.get(name), tolerance);
            }
        }
        reference.outputs(merged, reference.inputs(), Hooks.NONE).compare(check, outputs, "merged", tolerance);
    }

    private static @Nullable Base merged(CaseCheck check, Adapter adapter, JsonNode manifest) {
        try {
            return Merge.merge(adapter);
        } catch (InputException refused) {
            boolean neither = !manifest.path("mergeable").booleanValue();
            check.that(neither, "the reference merges it, but: " + refused.getMessage());
            return null;
        }
    }
}
