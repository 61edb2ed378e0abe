package dev.graft.parity;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Image;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Losses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** Frozen models: hidden states, outputs, losses, positions counted from the mask, greedy generation. */
final class BasesParity implements CaseGroup {
    @Override
    public String name() {
        return "bases";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 1)) {
            runner.run(CaseGroup.id(folder), check -> run(tree.resolve(folder), check));
        }
    }

    private static void run(Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        try (ReferenceBase reference = ReferenceBase.load(folder)) {
            ReferenceTensors stored = reference.reference();
            TensorListing.compare(check, folder.resolve("model.safetensors"), manifest.path("tensors"));
            check.same(
                    "parameters",
                    reference.base().parameterCount(),
                    manifest.path("parameters").longValue());

            ForwardPass pass = ForwardPass.inference(Hooks.NONE).withHiddenStates();
            HiddenStates hidden = reference.base().forward(reference.inputs(), pass);
            List<String> states = new ArrayList<>();
            for (String side : List.of("", "encoder.", "decoder.", "text.", "vision.")) {
                states.addAll(stored.startingWith(side + "hidden_states."));
            }
            check.same("the number of hidden states", hidden.all().size(), states.size());
            for (int i = 0; i < Math.min(hidden.all().size(), states.size()); i++) {
                String state = states.get(i);
                Tensor got = hidden.all().get(i);
                Tensor mask = state.startsWith("encoder.") ? reference.inputs().mask() : hidden.mask();
                Tensor expected = stored.get(state);
                boolean heard =
                        state.startsWith("encoder.") && reference.inputs().pixels() != null;
                boolean padded = !heard && !state.startsWith("vision.");
                check.tensor(
                        state,
                        padded ? ModelOutputs.visible(got, mask) : got,
                        padded ? ModelOutputs.visible(expected, mask) : expected,
                        tolerance);
            }
            ModelOutputs.of(reference.base(), hidden, pass).compare(check, "", stored, tolerance);
            if (reference.hasLabels()) {
                Tensor loss = reference.loss(reference.base(), hidden, pass).reshape(1);
                check.tensor("loss", loss, stored.get("loss"), tolerance);
            }
            if (stored.has("contrastive_loss")) {
                contrastiveLoss(reference, tolerance, check);
            }
            if (stored.has("position_ids_from_mask")) {
                positionsFromMask(reference, tolerance, check);
            }
            if (stored.has("generate.sequences")) {
                new GreedyDecoding(reference, reference.base(), Hooks.NONE, true).compare(check, stored, tolerance);
            }
            stored.requireAllRead(check);
        }
    }

    private static void positionsFromMask(ReferenceBase reference, Tolerance tolerance, CaseCheck check) {
        ReferenceTensors stored = reference.reference();
        Inputs in = reference.inputs().withPositionsFromMask();
        Tensor positions = stored.get("position_ids_from_mask");
        if (in.positions() != null) {
            check.tensor("position_ids_from_mask", in.positions(), positions, Tolerance.EXACT);
        }
        String name = "logits_with_position_ids_from_mask";
        reference.outputs(reference.base(), in, Hooks.NONE).compare(check, "logits", stored.get(name), name, tolerance);
    }

    /** The loss of the first texts with the images, each its own. */
    private static void contrastiveLoss(ReferenceBase reference, Tolerance tolerance, CaseCheck check) {
        Tensor pixels = reference.reference().get("pixel_values");
        Tensor ids = reference.reference().get("input_ids");
        List<Example> examples = new ArrayList<>();
        for (int row = 0; row < pixels.size(0); row++) {
            float[] values = Tensors.floats(pixels.select(0, row));
            int[] text = Arrays.stream(Tensors.longs(ids.select(0, row)))
                    .mapToInt(Math::toIntExact)
                    .toArray();
            Image image = new Image((int) pixels.size(1), (int) pixels.size(2), (int) pixels.size(3), () -> values);
            examples.add(new Example(row, text, null, new Target.Match(), null, image));
        }
        double loss = Losses.of(reference.base(), 0)
                .evaluate(Hooks.NONE, Batch.of(examples, 0))
                .mean();
        check.tensor(
                "contrastive_loss",
                Tensors.of(new float[] {(float) loss}, 1),
                reference.reference().get("contrastive_loss"),
                tolerance);
    }
}
