package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A base of the tree with its stored inputs, and what it answers under the names that the reference library gives its outputs. */
final class ReferenceBase implements AutoCloseable {
    private static final List<String> OUTPUTS =
            List.of("logits", "start_logits", "end_logits", "last_hidden_state", "pooler_output");

    private final Base base;
    private final Reference reference;
    private final Inputs inputs;

    private ReferenceBase(Base base, Reference reference) {
        this.base = base;
        this.reference = reference;
        this.inputs = new Inputs(
                reference.get("input_ids"), reference.get("attention_mask"), reference.find("token_type_ids"), null);
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
        Base base = NotCovered.unlessRefused(folder.resolve("config.json"), () -> Base.load(folder));
        switch (dtype) {
            case "float32" -> {}
            case "float16" -> base = rounded(base, ScalarType.Half);
            case "bfloat16" ->
                base = rounded(
                        Base.load(folder, Base.Options.DEFAULT.withNumerics(Numerics.BF16)), ScalarType.BFloat16);
            default -> throw new NotCovered("base_dtype is " + dtype);
        }
        return new ReferenceBase(base, new Reference(folder.resolve("reference.safetensors")));
    }

    private static Base rounded(Base base, ScalarType type) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        base.parameters()
                .forEach((name, value) -> values.put(name, value.to(type).to(ScalarType.Float)));
        return base.with(values);
    }

    Base base() {
        return base;
    }

    Reference reference() {
        return reference;
    }

    Inputs inputs() {
        return inputs;
    }

    /** The outputs for the stored inputs. */
    Map<String, Tensor> outputs(Base of, Inputs in, Hooks hooks) {
        Pass pass = Pass.inference(hooks);
        return outputs(of, of.hidden(in, pass), pass);
    }

    /** Zero at padding, as they are stored: what stands there isn't defined. */
    static Map<String, Tensor> outputs(Base of, Hidden hidden, Pass pass) {
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        Tensor logits = of.logits(hidden, pass);
        switch (of.task()) {
            case SEQ_CLS -> outputs.put("logits", logits);
            case QUESTION_ANS -> {
                outputs.put("start_logits", visible(logits.select(2, 0), hidden));
                outputs.put("end_logits", visible(logits.select(2, 1), hidden));
            }
            case FEATURE_EXTRACTION -> {
                outputs.put("last_hidden_state", visible(logits, hidden));
                Linear pooler = pooler(of);
                if (pooler != null) {
                    outputs.put(
                            "pooler_output",
                            pass.hooks()
                                    .linear(pooler, hidden.last().select(1, 0), pass)
                                    .tanh());
                }
            }
            case TOKEN_CLS, MASKED_LM, CAUSAL_LM -> outputs.put("logits", visible(logits, hidden));
        }
        return outputs;
    }

    private static @Nullable Linear pooler(Base base) {
        for (Site site : base.sites()) {
            if (site instanceof Linear linear && linear.role() == Role.POOLER) {
                return linear;
            }
        }
        return null;
    }

    /** Zeros at padded positions; prompts are never padding. */
    static Tensor visible(Tensor output, Hidden hidden) {
        Tensor mask = hidden.mask();
        return Ops.to(output, ScalarType.Float)
                .mul(Ops.to(output.dim() > 2 ? mask.unsqueeze(-1) : mask, ScalarType.Float));
    }

    /** Compares every output that a reference stores under a prefix; each of ours must be there. */
    static void compare(
            Check check, String prefix, Map<String, Tensor> outputs, Reference reference, Tolerance tolerance) {
        for (String name : OUTPUTS) {
            Tensor expected = reference.find(prefix + name);
            Tensor got = outputs.get(name);
            if (expected != null && got != null) {
                check.tensor(prefix + name, got, expected, tolerance);
            } else {
                check.that(expected == null, "there is no " + prefix + name + " to compare");
            }
        }
    }

    /** Whether the stored labels are there that a loss needs. */
    boolean hasLabels() {
        return reference.has("labels") || reference.has("start_positions");
    }

    /** The loss of the stored labels, as the reference library defines it for each head. */
    Tensor loss(Hidden hidden, Pass pass) {
        Tensor logits = base.logits(hidden, pass);
        if (base.task() == Task.QUESTION_ANS) {
            // With a prompt the reference counts these positions from the prompt's first row.
            Tensor starts = torch.cross_entropy_loss(logits.select(2, 0), reference.get("start_positions"));
            Tensor ends = torch.cross_entropy_loss(logits.select(2, 1), reference.get("end_positions"));
            return Ops.scale(starts.add(ends), 0.5);
        }
        Tensor labels = reference.get("labels");
        if (base.task() == Task.SEQ_CLS) {
            return torch.cross_entropy_loss(logits, labels);
        }
        if (hidden.prompt() > 0) {
            Tensor none = Tensors.zeros(ScalarType.Long, labels.size(0), hidden.prompt())
                    .sub(new org.bytedeco.pytorch.Scalar(100L));
            labels = Ops.cat(1, none, labels);
        }
        if (base.task() == Task.CAUSAL_LM) {
            long predicted = logits.size(1) - 1;
            logits = logits.narrow(1, 0, predicted);
            labels = labels.narrow(1, 1, predicted);
        }
        return torch.cross_entropy_loss(logits.reshape(-1, logits.size(2)), labels.reshape(-1));
    }

    @Override
    public void close() {
        reference.close();
    }
}
