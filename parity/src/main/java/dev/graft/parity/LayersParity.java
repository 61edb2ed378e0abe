package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.tensor.Ops;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** One layer with one adapter: output, gradients of its parameters and its input, merged weights. */
final class LayersParity implements CaseGroup {
    /** The reference's name for the only module of its model. */
    private static final String LAYER = "layer";

    @Override
    public String name() {
        return "layers";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 2)) {
            runner.run(CaseGroup.id(folder), check -> run(tree.resolve(folder), check));
            ReferenceGradients.reportIfWrong(tree.resolve(folder), CaseGroup.id(folder), runner);
        }
    }

    private static void run(Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        try (ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            LayerDescription layer =
                    LayerDescription.of(manifest.path("module").asString(), stored.has("base.layer.bias"));
            Base base = ModuleTree.of(folder.toString(), LAYER, layer.kind, layer.window, stored.source());
            stored.ignore("base.");
            Adapter adapter = manifest.path("peft_type").asString("").equals("PSOFT")
                    ? SingularSigns.load(base, folder, LAYER, stored.get("merged." + LAYER + ".weight"))
                    : AdapterFiles.load(base, folder);
            TensorListing.compare(check, folder.resolve(AdapterFiles.TENSORS), manifest.path("tensors"));
            check.same(
                    "trainable_parameters",
                    adapter.trainableCount(),
                    manifest.path("trainable_parameters").longValue());

            Tensor input = stored.get("input");
            boolean differentiable = input.is_floating_point();
            input.set_requires_grad(differentiable);
            check.tensor("output_base", forward(base, layer, input, Hooks.NONE), stored.get("output_base"), tolerance);
            Tensor output = forward(base, layer, input, Selection.of(adapter).hooks());
            check.tensor("output", output, stored.get("output"), tolerance);
            ReferenceGradients.compare(
                    check, output.mul(stored.get("output_gradient")).sum(), adapter, stored, tolerance);
            if (!ReferenceGradients.areRight(manifest)) {
                stored.ignore("input_gradient");
            } else if (differentiable) {
                check.tensor("input_gradient", input.grad(), stored.get("input_gradient"), tolerance);
            }
            merge(check, adapter, layer, input, output, stored, manifest, tolerance);
            AdapterFiles.saved(adapter, saved -> {
                AdapterFiles.compare(check, saved, folder);
                Hooks again = Selection.of(Adapter.load(base, saved)).hooks();
                check.tensor(
                        "output after saving and loading", forward(base, layer, input, again), output, Tolerance.EXACT);
            });
            stored.requireAllRead(check);
        }
    }

    /**
     * A layer as PyTorch prints it, for example {@code Conv2d(8, 12, kernel_size=(3, 3), stride=(2, 2), groups=2)}.
     *
     * @param window how a convolution's kernels move
     * @param heads of an attention layer
     */
    private record LayerDescription(ModuleTree.Kind kind, Convolution.@Nullable Geometry window, int heads) {
        private static final Pattern HEADS = Pattern.compile("(\\d+) heads");

        static LayerDescription of(String module, boolean hasBias) {
            String label = module.substring(0, Math.max(0, module.indexOf('(')));
            ModuleTree.Kind kind = ModuleTree.Kind.byLabel().get(label);
            if (kind == null) {
                throw new NotCoveredException("there is no site for the layer " + module);
            }
            if (kind == ModuleTree.Kind.LINEAR && !hasBias) {
                kind = ModuleTree.Kind.LINEAR_WITHOUT_BIAS;
            }
            int dimensions = kind.dimensions();
            Convolution.Geometry window = dimensions == 0
                    ? null
                    : new Convolution.Geometry(
                            numbers(module, "stride", dimensions, 1),
                            numbers(module, "padding", dimensions, 0),
                            numbers(module, "dilation", dimensions, 1),
                            numbers(module, "groups", 1, 1).get(0).intValue());
            Matcher heads = HEADS.matcher(module);
            return new LayerDescription(kind, window, heads.find() ? Integer.parseInt(heads.group(1)) : 1);
        }

        private static List<Long> numbers(String module, String name, int count, long absent) {
            Matcher stated = Pattern.compile(name + "=\\(?([\\d, ]+)").matcher(module);
            return stated.find()
                    ? Arrays.stream(stated.group(1).split(","))
                            .map(String::strip)
                            .filter(number -> !number.isEmpty())
                            .map(Long::valueOf)
                            .limit(count)
                            .toList()
                    : Collections.nCopies(count, absent);
        }
    }

    private static Tensor forward(Base base, LayerDescription layer, Tensor input, Hooks hooks) {
        ForwardPass pass = ForwardPass.inference(hooks);
        Site site = base.sites().get(0);
        if (site instanceof Convolution convolution) {
            return hooks.convolution(convolution, input, pass);
        } else if (site instanceof Embedding embedding) {
            return hooks.embedding(embedding, input, pass);
        } else if (site instanceof Linear linear) {
            Tensor projected = hooks.linear(linear, input, pass);
            return layer.kind == ModuleTree.Kind.ATTENTION ? attend(base, layer.heads, projected, pass) : projected;
        }
        throw new IllegalStateException("there is no way through " + site);
    }

    /** The attention layer's way from queries, keys and values side by side, {@code [batch, seq, 3 · width]}, to its output. */
    private static Tensor attend(Base base, int heads, Tensor packed, ForwardPass pass) {
        long width = packed.size(2) / 3;
        Tensor[] parts = new Tensor[3];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = LayerOps.splitHeads(pass, packed.narrow(2, i * width, width), heads, null);
        }
        Tensor scores = Ops.scale(parts[0].matmul(parts[1].transpose(2, 3)), 1 / Math.sqrt(width / (double) heads));
        Tensor mixed = scores.softmax(-1).matmul(parts[2]).transpose(1, 2).flatten(2, 3);
        return pass.hooks().linear((Linear) base.sites().get(1), mixed, pass);
    }

    private static void merge(
            CaseCheck check,
            Adapter adapter,
            LayerDescription layer,
            Tensor input,
            Tensor output,
            ReferenceTensors stored,
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
        check.tensor("merged output", forward(merged, layer, input, Hooks.NONE), output, tolerance);
    }
}
