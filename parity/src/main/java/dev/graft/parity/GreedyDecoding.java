package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Greedy search without stopping: by whole passes without a cache, and by the product's generator. */
final class GreedyDecoding {
    private final ReferenceBase reference;
    private final Base base;
    private final Hooks hooks;
    private final boolean positionsFromMask;

    /**
     * Greedy search on the stored prompts.
     *
     * @param base the base, or a deeper one that an adapter made of it
     * @param positionsFromMask whether padding on the left takes no positions; else they are 0, 1, 2, …
     */
    GreedyDecoding(ReferenceBase reference, Base base, Hooks hooks, boolean positionsFromMask) {
        this.reference = reference;
        this.base = base;
        this.hooks = hooks;
        this.positionsFromMask = positionsFromMask;
    }

    /** Compares the stored tokens exactly, and the logits of the first and the last one. */
    void compare(CaseCheck check, ReferenceTensors stored, Tolerance tolerance) {
        Tensor expected = stored.get("generate.sequences");
        if (reference.inputs().pixels() != null) {
            answers(check, reference.inputs(), expected, stored, tolerance);
            return;
        }
        Tensor ids = reference.reference().get("generate.input_ids");
        Tensor mask = reference.reference().get("generate.attention_mask");
        if (reference.base().task() == Task.SEQ_2_SEQ_LM) {
            answers(check, Inputs.of(ids, mask), expected, stored, tolerance);
            compareCached(check, expected, 1);
            return;
        }
        long steps = expected.size(1) - ids.size(1);
        try (NoGrad noGrad = new NoGrad()) {
            for (long step = 0; step < steps; step++) {
                Tensor logits = next(ids, mask);
                String name = step == 0 ? "generate.first_logits" : step == steps - 1 ? "generate.last_logits" : "";
                if (stored.has(name)) {
                    check.tensor(name, logits, stored.get(name), tolerance);
                }
                ids = Ops.cat(1, ids, Ops.argmax(logits, 1).unsqueeze(1));
                mask = Ops.cat(1, mask, Tensors.ones(ScalarType.Long, mask.size(0), 1));
            }
        }
        check.tensor("generate.sequences", ids, expected, Tolerance.EXACT);
        if (positionsFromMask) {
            compareCached(check, expected, expected.size(1) - steps);
        }
    }

    /** An encoder-decoder's answers, which start with a token of their own. */
    private void answers(
            CaseCheck check, Inputs source, Tensor expected, ReferenceTensors stored, Tolerance tolerance) {
        Base base = reference.base();
        Tensor ids = expected.narrow(1, 0, 1);
        long steps = expected.size(1) - 1;
        try (NoGrad noGrad = new NoGrad()) {
            for (long step = 0; step < steps; step++) {
                Inputs seen = Inputs.of(ids, Tensors.ones(ScalarType.Long, Tensors.shape(ids)));
                Tensor logits = base.logits(source.withDecoder(seen), ForwardPass.inference(hooks))
                        .select(1, step);
                String name = step == 0 ? "generate.first_logits" : step == steps - 1 ? "generate.last_logits" : "";
                if (stored.has(name)) {
                    check.tensor(name, logits, stored.get(name), tolerance);
                }
                ids = Ops.cat(1, ids, Ops.argmax(logits, 1).unsqueeze(1));
            }
        }
        check.tensor("generate.sequences", ids, expected, Tolerance.EXACT);
    }

    /** The product's own generation, which takes prompts without padding. */
    private void compareCached(CaseCheck check, Tensor expected, long before) {
        long steps = expected.size(1) - before;
        Tensor ids = reference.reference().get("generate.input_ids");
        Tensor mask = reference.reference().get("generate.attention_mask");
        List<int[]> prompts = new ArrayList<>();
        for (int row = 0; row < ids.size(0); row++) {
            long[] tokens = Tensors.longs(ids.select(0, row));
            long[] visible = Tensors.longs(mask.select(0, row));
            prompts.add(IntStream.range(0, tokens.length)
                    .filter(i -> visible[i] == 1)
                    .map(i -> Math.toIntExact(tokens[i]))
                    .toArray());
        }
        GenerateOptions options =
                GenerateOptions.DEFAULT.withMaxNewTokens((int) steps).withEndTokens(Set.of());
        List<GeneratedText> texts = new Generator(base, null).generate(prompts, options, hooks, TextListener.SILENT);
        for (int row = 0; row < texts.size(); row++) {
            long[] wanted = Tensors.longs(expected.select(0, row).narrow(0, before, steps));
            check.same(
                    "the cached generation of row " + row,
                    Arrays.toString(texts.get(row).ids()),
                    Arrays.toString(wanted));
        }
    }

    private Tensor next(Tensor ids, Tensor mask) {
        try (Scope scope = new Scope()) {
            Inputs in = Inputs.of(ids, mask);
            Tensor logits =
                    base.logits(positionsFromMask ? in.withPositionsFromMask() : in, ForwardPass.inference(hooks));
            return scope.keep(logits.select(1, logits.size(1) - 1).contiguous());
        }
    }
}
