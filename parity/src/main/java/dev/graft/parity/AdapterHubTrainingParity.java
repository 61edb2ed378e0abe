package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.bottleneck.Fusion;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Short training runs: every loss, the first gradients and the tensors at the end; by AdapterHub, or by the formulas of the papers. */
record AdapterHubTrainingParity(String name) implements CaseGroup {
    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 1)) {
            runner.run(CaseGroup.id(folder), check -> run(tree, tree.resolve(folder), check));
        }
    }

    private void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Adapter adapter =
                name.equals("formula") ? FormulaMethods.start(tree, folder, manifest) : start(tree, folder, manifest);
        Base base = adapter.base();
        String called = manifest.path("adapters").size() == 1
                ? manifest.path("adapters").get(0).asString()
                : "task";
        JsonNode limits = manifest.path("tolerance");
        Tolerance loss = new Tolerance(limits.path("loss_atol").doubleValue(), 0);
        Tolerance tensors = new Tolerance(limits.path("tensor_atol").doubleValue(), 0);
        Map<String, Tensor> trained = new LinkedHashMap<>();
        adapter.trainable()
                .forEach((key, value) ->
                        trained.put(AdapterHubFiles.key(key.replace(".ln_tuning_layers.", "."), base, called), value));
        TreeSet<String> expected = new TreeSet<>();
        manifest.path("trainable").forEach(key -> expected.add(AdapterHubFiles.key(key.asString(), base, called)));
        check.same("what is trained", new TreeSet<>(trained.keySet()), expected);

        JsonNode settings = manifest.path("optimizer");
        if (trained.keySet().stream().anyMatch(key -> key.endsWith(".original"))
                && settings.path("weight_decay").doubleValue() > 0) {
            throw new NotCoveredException(
                    "weight decay on an orthogonal projection's diagonal, which the reference then takes for zero");
        }
        AdamW optimizer = new AdamW(
                new FlatParameters(adapter.trainable(), FormulaMethods.rates(manifest, base)),
                new AdamW.Settings(
                        settings.path("betas").get(0).doubleValue(),
                        settings.path("betas").get(1).doubleValue(),
                        settings.path("eps").doubleValue(),
                        settings.path("weight_decay").doubleValue()));
        TrainingRule rule = adapter.method().trainingRule(adapter, new TrainingRule.Run(15, 5, 5e-3, 0));
        // AdapterHub's trainer forms this gradient after a step, for the next one.
        boolean late = manifest.path("case").asString().equals("fusion");
        Hooks hooks = Selection.of(adapter).hooks();
        try (ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"));
                ReferenceTensors batches = new ReferenceTensors(folder.resolveSibling("batches.safetensors"));
                ReferenceTensors end = new ReferenceTensors(folder.resolve("final.safetensors"))) {
            double[] losses = Tensors.doubles(stored.get("losses"));
            stored.ignore("losses_float64");
            for (int step = 0; step < losses.length; step++) {
                try (Scope scope = new Scope()) {
                    double found = gradients(base, hooks, batches, step % 5);
                    Tensor penalty = late && step == 0 ? null : rule.penalty();
                    if (penalty != null) {
                        penalty.backward();
                        found += late ? 0 : Tensors.item(penalty.detach());
                    }
                    check.number("loss of step " + step, found, losses[step], loss);
                    if (step == 0) {
                        first(check, trained, stored, base, called, loss);
                    }
                    optimizer.step(settings.path("lr").doubleValue());
                    optimizer.parameters().zeroGradients();
                }
            }
            Set<String> loose = new TreeSet<>();
            manifest.path("loose_tensors")
                    .propertyNames()
                    .forEach(key -> loose.add(AdapterHubFiles.key(key, base, called)));
            for (String key : end.startingWith("")) {
                String own = AdapterHubFiles.key(key, base, called);
                Tensor value = trained.get(own);
                if (value != null && !loose.contains(own)) {
                    Tensor moved = determined(stored, key, value);
                    check.tensor(
                            "final " + key,
                            value.detach().mul(moved),
                            end.get(key).mul(moved),
                            tensors);
                }
            }
            stored.requireAllRead(check);
        }
    }

    /** 1 for elements whose first gradient is above Adam's eps: rounding of a smaller one becomes a move of any size. */
    private static Tensor determined(ReferenceTensors stored, String key, Tensor like) {
        Tensor gradient = stored.find("grad0." + key);
        return gradient == null
                ? Tensors.ones(like.scalar_type(), Tensors.shape(like))
                : Ops.to(gradient.abs().gt(new Scalar(1e-8)), like.scalar_type());
    }

    private static Adapter start(Path tree, Path folder, JsonNode manifest) {
        Path initial = folder.resolve("initial");
        Path head = initial.resolve(manifest.path("head_setup").asString());
        Base base = AdapterHubBase.load(tree, manifest, head).base();
        String fusion = fusion(manifest);
        return fusion == null
                ? AdapterHubFiles.load(
                        base,
                        initial.resolve(manifest.path("adapters").get(0).asString()),
                        manifest.path("config_corrections"))
                : Fusion.load(base, initial, fusion);
    }

    private static @Nullable String fusion(JsonNode manifest) {
        if (!manifest.path("family").asString().startsWith("fusion")) {
            return null;
        }
        StringBuilder name = new StringBuilder();
        manifest.path("adapters")
                .forEach(adapter -> name.append(name.isEmpty() ? "" : ",").append(adapter.asString()));
        return name.toString();
    }

    private static double gradients(Base base, Hooks hooks, ReferenceTensors batches, int number) {
        Inputs in = new Inputs(
                batches.get("input_ids").select(0, number).contiguous(),
                batches.get("attention_mask").select(0, number).contiguous(),
                batches.get("token_type_ids").select(0, number).contiguous(),
                null);
        ForwardPass pass = ForwardPass.training(hooks);
        Tensor loss = torch.cross_entropy_loss(
                base.logits(in, pass), batches.get("labels").select(0, number).contiguous());
        loss.backward();
        pass.backward();
        return Tensors.item(loss.detach());
    }

    private static void first(
            CaseCheck check,
            Map<String, Tensor> trained,
            ReferenceTensors stored,
            Base base,
            String called,
            Tolerance tolerance) {
        for (String name : stored.startingWith("grad0.")) {
            String key = AdapterHubFiles.key(name.substring("grad0.".length()), base, called);
            Tensor parameter = trained.get(key);
            if (parameter == null || !parameter.grad().defined()) {
                check.that(false, "there is no gradient of " + key);
            } else {
                check.tensor(name, parameter.grad(), stored.get(name), tolerance);
            }
        }
    }
}
