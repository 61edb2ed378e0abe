package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The outputs of a model, under the reference library's names.
 *
 * @param mask 1 where an answer is defined, {@code [batch, prompt + seq]}: nothing is compared at padding
 */
record ModelOutputs(Map<String, Tensor> values, Tensor mask) {
    private static final List<String> NAMES = List.of(
            "logits",
            "start_logits",
            "end_logits",
            "last_hidden_state",
            "pooler_output",
            "logits_per_image",
            "logits_per_text",
            "text_embeds",
            "image_embeds");

    static ModelOutputs of(Base base, HiddenStates hidden, ForwardPass pass) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        Tensor logits = base.logits(hidden, pass);
        if (base.task() == Task.QUESTION_ANS) {
            values.put("start_logits", logits.select(2, 0));
            values.put("end_logits", logits.select(2, 1));
        } else if (hidden.images() != null) {
            values.put("logits_per_image", logits);
            values.put("logits_per_text", logits.t());
            values.put("text_embeds", hidden.last().squeeze(1));
            values.put("image_embeds", hidden.images());
        } else if (base.task() == Task.FEATURE_EXTRACTION) {
            values.put("last_hidden_state", logits);
            Tensor pooled = pooled(base, hidden, pass);
            if (pooled != null) {
                values.put("pooler_output", pooled);
            }
        } else {
            values.put("logits", logits);
        }
        return new ModelOutputs(values, hidden.mask());
    }

    /** The first position by the base's pooler, or null where it has none. */
    static @Nullable Tensor pooled(Base base, HiddenStates hidden, ForwardPass pass) {
        Linear pooler = pooler(base);
        return pooler == null
                ? null
                : pass.hooks().linear(pooler, hidden.last().select(1, 0), pass).tanh();
    }

    private static @Nullable Linear pooler(Base base) {
        for (Site site : base.sites()) {
            if (site instanceof Linear linear && linear.role() == Role.POOLER) {
                return linear;
            }
        }
        return null;
    }

    /** Returns a copy that is compared only in the rows that have a 1. */
    ModelOutputs where(Tensor rows) {
        return new ModelOutputs(values, mask.mul(rows.unsqueeze(1)));
    }

    /** Zeros at padding, where there is an output for each position. */
    static Tensor visible(Tensor output, Tensor mask) {
        if (output.size(1) != mask.size(1)) {
            return Ops.to(output, ScalarType.Float);
        }
        Tensor seen = Ops.to(output.dim() > 2 ? mask.unsqueeze(-1) : mask, ScalarType.Float);
        return Ops.to(output, ScalarType.Float).mul(seen);
    }

    /** Zeros in the answers for sequences of which nothing is compared. */
    private Tensor known(Tensor output) {
        Tensor fp32 = Ops.to(output, ScalarType.Float);
        Tensor rows = Ops.to(mask.amax(new long[] {1}, true), ScalarType.Float);
        return output.dim() == 2 && output.size(0) == rows.size(0) ? fp32.mul(rows) : fp32;
    }

    /** One answer for a sequence, not for each of its tokens. */
    private static boolean isOfSequence(String name, Tensor output) {
        return name.equals("pooler_output")
                || name.endsWith("_embeds")
                || name.startsWith("logits") && output.dim() == 2;
    }

    /** Compares one output with a stored one. */
    void compare(CaseCheck check, String name, Tensor expected, String as, Tolerance tolerance) {
        Tensor got = values.get(name);
        if (got == null) {
            check.that(false, "there is no " + name + " to compare with " + as);
        } else if (isOfSequence(name, got) || got.size(1) != expected.size(1)) {
            check.tensor(as, known(got), known(expected), tolerance);
        } else {
            check.tensor(as, visible(got, mask), visible(expected, mask), tolerance);
        }
    }

    /** Compares every output that a reference stores under a prefix. */
    void compare(CaseCheck check, String prefix, ReferenceTensors reference, Tolerance tolerance) {
        for (String name : NAMES) {
            Tensor expected = reference.find(prefix + name);
            if (expected != null) {
                compare(check, name, expected, prefix + name, tolerance);
            }
        }
    }

    /** Compares all with those of another way to the same answer. */
    void compare(CaseCheck check, ModelOutputs other, String how, Tolerance tolerance) {
        other.values.forEach((name, value) -> compare(check, name, value, name + " " + how, tolerance));
    }
}
