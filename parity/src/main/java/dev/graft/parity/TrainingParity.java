package dev.graft.parity;

import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** Short training runs: the loss, the gradient's norm and the learning rate of every step, and the tensors at the end. */
final class TrainingParity implements CaseGroup {
    private static final Tolerance RATE = new Tolerance(0, 1e-9);

    @Override
    public String name() {
        return "training";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 2)) {
            runner.run(CaseGroup.id(folder), check -> run(tree, tree.resolve(folder), check));
        }
    }

    private record Limits(Tolerance loss, Tolerance norm, Tolerance tensors) {
        static Limits read(JsonNode tolerance) {
            return new Limits(
                    Tolerance.read(tolerance.path("loss")),
                    Tolerance.read(tolerance.path("grad_norm")),
                    Tolerance.read(tolerance.path("tensors")));
        }
    }

    private static void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Limits limits = Limits.read(manifest.path("tolerance"));
        if (!ReferenceGradients.areRight(manifest)) {
            throw ReferenceGradients.wrong(manifest);
        }
        TrainingPlan plan = TrainingPlan.read(manifest);
        try (ReferenceBase reference =
                        ReferenceBase.load(tree.resolve(manifest.path("base").asString()));
                ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            Adapter adapter = start(check, reference.base(), folder, manifest, plan);
            List<TrainingBatch> batches =
                    TrainingBatch.read(stored, reference.base().task());
            TrainingRule rule = adapter.method().trainingRule(adapter, plan.run(manifest));
            Optimizer optimizer = plan.optimizer(new FlatParameters(adapter.trainable(), rule::rate));
            LossFunction lossFunction = Losses.of(reference.base(), 0);
            Hooks hooks = Selection.of(adapter).hooks();
            GradientNoise noise = new GradientNoise();
            for (JsonNode row : manifest.path("log")) {
                step(check, plan, rule, optimizer, lossFunction, hooks, batches, row, limits);
                rates(check, plan, rule, optimizer, row, manifest.path("parameter_groups"));
                pruned(check, adapter, row);
                noise.observe(optimizer.parameters());
                optimizer.parameters().zeroGradients();
            }
            end(check, reference, adapter, rule, folder, batches.get(0), lossFunction, stored, limits, noise);
            stored.requireAllRead(check);
        }
    }

    /** The adapter as training starts. A prompt's saved file may hold only what its encoder gives; then that has a file of its own. */
    private static Adapter start(CaseCheck check, Base base, Path folder, JsonNode manifest, TrainingPlan plan) {
        Adapter adapter = as(plan, AdapterFiles.load(base, folder.resolve("initial")));
        Path values = folder.resolve("initial_parameters.safetensors");
        if (Files.exists(values)) {
            adapter = Adapter.create(base, adapter.config(), 1);
        }
        TreeSet<String> expected = new TreeSet<>();
        for (JsonNode group : manifest.path("parameter_groups")) {
            group.path("names").forEach(name -> expected.add(ReferenceGradients.plain(name.asString())));
        }
        if (plan.freezesA()) {
            expected.removeIf(name -> !name.contains(".lora_B."));
        } else {
            check.same(
                    "trainable_parameters",
                    adapter.trainableCount(),
                    manifest.path("trainable_parameters").longValue());
        }
        check.same(
                "what is trained",
                new TreeSet<>(ReferenceGradients.trained(adapter).keySet()),
                expected);
        if (Files.exists(values)) {
            copy(values, adapter);
        }
        return adapter;
    }

    /** The adapter with the method by which it is trained. */
    private static Adapter as(TrainingPlan plan, Adapter loaded) {
        AdapterConfig config = loaded.config();
        Method method = plan.method(config.method());
        if (method == config.method()) {
            return loaded;
        }
        Adapter adapter = Adapter.create(
                loaded.base(),
                new AdapterConfig(method, config.modulesToSave(), config.task(), config.baseName(), config.revision()),
                1);
        try (NoGrad noGrad = new NoGrad()) {
            loaded.parameters().forEach((key, parameter) -> adapter.value(key).copy_(parameter.value()));
        }
        return adapter;
    }

    private static void copy(Path file, Adapter adapter) {
        Map<String, Tensor> trained = ReferenceGradients.trained(adapter);
        try (NoGrad noGrad = new NoGrad();
                ReferenceTensors values = new ReferenceTensors(file)) {
            for (String name : values.startingWith("")) {
                Tensor parameter = trained.get(ReferenceGradients.plain(name));
                if (parameter == null) {
                    throw new NotCoveredException("training " + name);
                }
                parameter.copy_(values.get(name));
            }
        }
    }

    private static void step(
            CaseCheck check,
            TrainingPlan plan,
            TrainingRule rule,
            Optimizer optimizer,
            LossFunction lossFunction,
            Hooks hooks,
            List<TrainingBatch> batches,
            JsonNode row,
            Limits limits) {
        int step = row.path("step").intValue();
        TrainingBatch batch = batches.get(row.path("batch").intValue());
        try (Scope scope = new Scope()) {
            long terms = lossFunction.terms(hooks, batch.whole());
            Loss loss = Loss.NONE;
            rule.beforeStep(step);
            for (Batch part : batch.parts(plan.accumulation())) {
                loss = loss.plus(lossFunction.backward(hooks, part, terms));
            }
            double mean = loss.mean();
            Tensor penalty = rule.penalty();
            if (penalty != null) {
                penalty.backward();
                mean += Tensors.item(penalty);
            }
            double norm = optimizer.parameters().gradientNorm();
            double rate = plan.learningRate(step);
            check.number("loss of step " + step, mean, row.path("loss").doubleValue(), limits.loss);
            check.number(
                    "gradient norm of step " + step,
                    norm,
                    row.path("grad_norm_before_clipping").doubleValue(),
                    limits.norm);
            if (plan.maxGradNorm() > 0) {
                optimizer.parameters().clip(norm, plan.maxGradNorm());
            }
            rule.beforeUpdate(step);
            optimizer.step(rate);
            rule.afterUpdate(step, rate);
        }
    }

    /** Compares the learning rate of each trained parameter with that of its group. */
    private static void rates(
            CaseCheck check, TrainingPlan plan, TrainingRule rule, Optimizer optimizer, JsonNode row, JsonNode groups) {
        int step = row.path("step").intValue();
        for (int i = 0; i < groups.size(); i++) {
            for (JsonNode inMemory : groups.get(i).path("names")) {
                String name = ReferenceGradients.plain(inMemory.asString());
                if (optimizer.parameters().parameters().containsKey(name)) {
                    check.number(
                            "learning rate of " + name + " at step " + step,
                            plan.learningRate(step) * rule.rate(name).factor(),
                            row.path("lr").get(i).doubleValue(),
                            RATE);
                }
            }
        }
    }

    /** Compares which singular values a step has set to zero. */
    private static void pruned(CaseCheck check, Adapter adapter, JsonNode row) {
        row.path("adalora").path("rank_pattern").properties().forEach(module -> {
            Tensor values = adapter.value(ReferenceGradients.plain(module.getKey()));
            List<Boolean> kept = new ArrayList<>();
            for (double value : Tensors.doubles(values)) {
                kept.add(value != 0);
            }
            check.same(
                    "what step " + row.path("step") + " keeps of " + module.getKey(),
                    kept.toString(),
                    module.getValue()
                            .valueStream()
                            .map(JsonNode::booleanValue)
                            .toList()
                            .toString());
        });
    }

    private static void end(
            CaseCheck check,
            ReferenceBase reference,
            Adapter adapter,
            TrainingRule rule,
            Path folder,
            TrainingBatch first,
            LossFunction lossFunction,
            ReferenceTensors stored,
            Limits limits,
            GradientNoise noise) {
        AdapterFiles.saved(adapter, saved -> {
            AdapterFiles.compare(check, saved, folder.resolve("final"));
            try (TensorSource got = Safetensors.open(saved.resolve(AdapterFiles.TENSORS));
                    ReferenceTensors expected =
                            new ReferenceTensors(folder.resolve("final").resolve(AdapterFiles.TENSORS))) {
                for (String name : got.names()) {
                    if (expected.has(name) && !noise.isNoise(ReferenceGradients.plain(name))) {
                        check.values(
                                "final " + name,
                                doubles(got.tensor(name).floats()),
                                Tensors.doubles(expected.get(name)),
                                limits.tensors);
                    }
                }
            }
        });
        if (Files.exists(folder.resolve("final_parameters.safetensors"))) {
            parameters(check, adapter, folder.resolve("final_parameters.safetensors"), limits.tensors);
        }
        Hooks hooks = Selection.of(adapter).hooks();
        ForwardPass pass = ForwardPass.inference(hooks);
        Tensor logits = reference.base().logits(LossFunction.inputs(first.whole()), pass);
        Tensor expected = stored.get("final.logits_on_batch_0");
        Batch.DecoderInputs decoder = first.whole().decoder();
        if (decoder != null) {
            // An answer's last token is given to the decoder too, and what is behind it is hidden: nothing is asked
            // there.
            long width = decoder.width() - 1L;
            int[] asked =
                    Arrays.stream(decoder.lengths()).map(length -> length - 1).toArray();
            Tensor mask = Tensors.of(Batch.mask(asked, (int) width), asked.length, width);
            logits = ModelOutputs.visible(logits.narrow(1, 0, width), mask);
            expected = ModelOutputs.visible(expected, mask);
        }
        check.tensor("final.logits_on_batch_0", logits, expected, limits.tensors);
        Tensor penalty = rule.penalty();
        double loss =
                lossFunction.evaluate(hooks, first.whole()).mean() + (penalty == null ? 0 : Tensors.item(penalty));
        check.values(
                "final.loss_on_batch_0",
                new double[] {loss},
                Tensors.doubles(stored.get("final.loss_on_batch_0")),
                limits.tensors);
    }

    private static void parameters(CaseCheck check, Adapter adapter, Path file, Tolerance tolerance) {
        Map<String, Tensor> trained = ReferenceGradients.trained(adapter);
        try (ReferenceTensors parameters = new ReferenceTensors(file)) {
            for (String name : parameters.startingWith("")) {
                Tensor value = trained.get(ReferenceGradients.plain(name));
                if (value == null) {
                    check.that(false, "nothing is trained under the name " + ReferenceGradients.plain(name));
                } else {
                    check.tensor(file.getFileName() + " " + name, value, parameters.get(name), tolerance);
                }
            }
        }
    }

    private static double[] doubles(float[] values) {
        double[] doubles = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            doubles[i] = values[i];
        }
        return doubles;
    }
}
