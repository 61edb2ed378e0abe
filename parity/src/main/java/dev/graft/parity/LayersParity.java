package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** One layer with one adapter: output, gradients of its parameters and its input, merged weights. */
final class LayersParity implements Group {
    /** What the reference calls the only module of its model. */
    private static final String LAYER = "layer";

    @Override
    public String name() {
        return "layers";
    }

    @Override
    public void run(Path tree, Cases cases) {
        for (Path folder : folders(tree, 2)) {
            cases.run(Group.id(folder), check -> run(tree.resolve(folder), check));
            Gradients.sayIfWrong(tree.resolve(folder), Group.id(folder), cases);
        }
    }

    private static void run(Path folder, Check check) {
        JsonNode manifest = Group.manifest(folder);
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        try (Reference stored = new Reference(folder.resolve("reference.safetensors"))) {
            ModuleTree.Kind kind = kind(manifest.path("module").asString(), stored.has("base.layer.bias"));
            Base base = ModuleTree.of(folder.toString(), Map.of(LAYER, kind), "", stored.source());
            stored.ignore("base.");
            Adapter adapter = AdapterFiles.load(base, folder);
            Listing.compare(check, folder.resolve(AdapterFiles.TENSORS), manifest.path("tensors"));
            check.same(
                    "trainable_parameters",
                    adapter.trainableCount(),
                    manifest.path("trainable_parameters").longValue());

            Tensor input = stored.get("input");
            boolean differentiable = input.is_floating_point();
            input.set_requires_grad(differentiable);
            check.tensor("output_base", forward(base, input, Hooks.NONE), stored.get("output_base"), tolerance);
            Tensor output = forward(base, input, Selection.of(adapter).hooks());
            check.tensor("output", output, stored.get("output"), tolerance);
            Gradients.compare(check, output.mul(stored.get("output_gradient")).sum(), adapter, stored, tolerance);
            if (!Gradients.areRight(manifest)) {
                stored.ignore("input_gradient");
            } else if (differentiable) {
                check.tensor("input_gradient", input.grad(), stored.get("input_gradient"), tolerance);
            }
            merge(check, adapter, input, output, stored, manifest, tolerance);
            AdapterFiles.saved(adapter, saved -> {
                AdapterFiles.compare(check, saved, folder);
                Hooks again = Selection.of(Adapter.load(base, saved)).hooks();
                check.tensor("output after saving and loading", forward(base, input, again), output, Tolerance.EXACT);
            });
            stored.requireAllRead(check);
        }
    }

    private static ModuleTree.Kind kind(String module, boolean hasBias) {
        return switch (module.substring(0, Math.max(0, module.indexOf('(')))) {
            case "Linear" -> hasBias ? ModuleTree.Kind.LINEAR : ModuleTree.Kind.LINEAR_WITHOUT_BIAS;
            case "Conv1D" -> ModuleTree.Kind.CONV1D;
            case "Embedding" -> ModuleTree.Kind.EMBEDDING;
            default -> throw new NotCovered("there is no site for the layer " + module);
        };
    }

    private static Tensor forward(Base base, Tensor input, Hooks hooks) {
        Pass pass = Pass.inference(hooks);
        Linear linear = base.site(Linear.class, LAYER);
        if (linear != null) {
            return hooks.linear(linear, input, pass);
        }
        Embedding embedding = base.site(Embedding.class, LAYER);
        if (embedding == null) {
            throw new IllegalStateException("the layer is neither linear nor an embedding");
        }
        return hooks.embedding(embedding, input, pass);
    }

    private static void merge(
            Check check,
            Adapter adapter,
            Tensor input,
            Tensor output,
            Reference stored,
            JsonNode manifest,
            Tolerance tolerance) {
        if (!manifest.path("mergeable").booleanValue()) {
            stored.ignore("merged.");
            return;
        }
        Base merged = Merge.merge(adapter);
        for (String name : stored.startingWith("merged.")) {
            Tensor value = merged.parameters().get(name.substring("merged.".length()));
            if (value == null) {
                check.that(false, "the merged layer has no " + name);
            } else {
                check.tensor(name, value, stored.get(name), tolerance);
            }
        }
        check.tensor("merged output", forward(merged, input, Hooks.NONE), output, tolerance);
    }
}
