package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.PromptTargets;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Target;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A base of the tree with its stored inputs, and its outputs under the reference library's names. */
final class ReferenceBase implements AutoCloseable {
    private final Base base;
    private final ReferenceTensors reference;
    private final Inputs inputs;

    private ReferenceBase(Base base, ReferenceTensors reference) {
        this.base = base;
        this.reference = reference;
        this.inputs = inputs(reference);
    }

    /** The inputs that a reference stores; a decoder's ids without a mask are all tokens. */
    static Inputs inputs(ReferenceTensors stored) {
        Tensor answers = stored.find("decoder_input_ids");
        Tensor pixels = stored.find("pixel_values");
        Tensor sounds = stored.find("input_features");
        if (pixels != null && !stored.has("input_ids")) {
            return Inputs.images(pixels);
        }
        Tensor seen = stored.find("decoder_attention_mask");
        Inputs decoder = answers == null ? null : Inputs.of(answers, seen == null ? torch.ones_like(answers) : seen);
        if (sounds != null) {
            return Inputs.images(sounds.unsqueeze(1)).withDecoder(decoder);
        }
        return new Inputs(
                stored.get("input_ids"),
                stored.get("attention_mask"),
                stored.find("token_type_ids"),
                null,
                decoder,
                pixels);
    }

    /** Loads a base in fp32. */
    static ReferenceBase load(Path folder) {
        return load(folder, "float32");
    }

    /**
     * Loads a base as the reference did: with its parameters rounded to a type, and computing in bf16 where that was the type. fp16 is
     * for storing only, so its rounded values are computed with in fp32.
     */
    static ReferenceBase load(Path folder, String dtype) {
        Base base = NotCoveredException.unlessRefused(folder.resolve("config.json"), () -> Base.load(folder));
        switch (dtype) {
            case "float32" -> {}
            case "float16" -> base = rounded(base, ScalarType.Half);
            case "bfloat16" ->
                base = rounded(
                        Base.load(folder, Base.Options.DEFAULT.withNumerics(Numerics.BF16)), ScalarType.BFloat16);
            default -> throw new NotCoveredException("base_dtype is " + dtype);
        }
        return new ReferenceBase(base, new ReferenceTensors(folder.resolve("reference.safetensors")));
    }

    private static Base rounded(Base base, ScalarType type) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        base.parameters()
                .forEach((name, value) -> values.put(name, value.to(type).to(ScalarType.Float)));
        return base.withParameters(values);
    }

    Base base() {
        return base;
    }

    ReferenceTensors reference() {
        return reference;
    }

    Inputs inputs() {
        return inputs;
    }

    /** The outputs for the stored inputs. */
    ModelOutputs outputs(Base of, Inputs in, Hooks hooks) {
        ForwardPass pass = ForwardPass.inference(hooks);
        return ModelOutputs.of(of, of.forward(in, pass), pass);
    }

    /** Returns whether the labels that a loss needs are stored. */
    boolean hasLabels() {
        return reference.has("labels") || reference.has("start_positions");
    }

    /** The loss of the stored labels, as the reference library defines it for each head. */
    Tensor loss(Base of, HiddenStates hidden, ForwardPass pass) {
        Tensor loss = loss(of.logits(hidden, pass), hidden, pass);
        for (AuxiliaryOutput auxiliary : pass.auxiliaries()) {
            loss = Ops.addScaled(
                    loss,
                    loss(auxiliary.headOr(of.head()).logits(auxiliary.hidden(), pass), auxiliary.hidden(), pass),
                    auxiliary.weight());
        }
        Tensor balance = base.task() == Task.CAUSAL_LM ? pass.loadBalance().loss() : null;
        return balance == null ? loss : loss.add(balance);
    }

    private Tensor loss(Tensor logits, HiddenStates hidden, ForwardPass pass) {
        if (base.task() == Task.QUESTION_ANS) {
            // With a prompt the reference counts these positions from the prompt's first row.
            Tensor starts = torch.cross_entropy_loss(logits.select(2, 0), reference.get("start_positions"));
            Tensor ends = torch.cross_entropy_loss(logits.select(2, 1), reference.get("end_positions"));
            return Ops.scale(starts.add(ends), 0.5);
        }
        Tensor labels = reference.get("labels");
        if (base.task() == Task.MULTIPLE_CHOICE) {
            return torch.cross_entropy_loss(logits.view(1, -1), labels);
        }
        if (base.head() instanceof Head.PerPatch head) {
            long height = labels.size(1);
            Tensor points = head.spread(logits, height, height, labels.size(2));
            return torch.cross_entropy_loss(points, labels, new TensorOptional(), 1, Target.Pixels.UNLABELLED, 0);
        }
        if (base.task() == Task.SEQ_CLS || base.task() == Task.IMAGE_CLS) {
            return torch.cross_entropy_loss(logits, labels);
        }
        Tensor weights = Tensors.ones(ScalarType.Float, Tensors.shape(labels));
        if (hidden.prompt() > 0) {
            PromptTargets targets = pass.promptTargets();
            float[] factors = new float[targets.weights().length];
            for (int i = 0; i < factors.length; i++) {
                factors[i] = (float) targets.weights()[i];
            }
            labels = Ops.cat(1, Tensors.of(targets.labels(), labels.size(0), hidden.prompt()), labels);
            weights = Ops.cat(1, Tensors.of(factors, labels.size(0), hidden.prompt()), weights);
        }
        if (base.task() == Task.CAUSAL_LM) {
            long predicted = logits.size(1) - 1;
            logits = logits.narrow(1, 0, predicted);
            labels = labels.narrow(1, 1, predicted);
            weights = weights.narrow(1, 1, predicted);
        }
        Tensor flat = labels.reshape(-1);
        Tensor each = torch.cross_entropy_loss(
                logits.reshape(-1, logits.size(2)), flat, new TensorOptional(), 0, PromptTargets.NONE, 0);
        long counted = Arrays.stream(Tensors.longs(flat))
                .filter(label -> label != PromptTargets.NONE)
                .count();
        return Ops.scale(each.mul(weights.reshape(-1)).sum(), 1.0 / counted);
    }

    @Override
    public void close() {
        reference.close();
    }
}
