package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Backbone;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * The look-aheads of adapters before a pass. The frozen model reads the batch once for all look-aheads that need it; each side network reads it
 * once more.
 *
 * @param rows the rows of a ragged pass that each look-ahead is for
 */
record LookAheads(Map<LookAhead, Set<Long>> rows) {
    /** @throws InputException if an adapter needs a look-ahead on rows with a prompt */
    static LookAheads of(List<RowGroup> groups) {
        Map<LookAhead, Set<Long>> rows = new LinkedHashMap<>();
        for (RowGroup group : groups) {
            List<ActiveAdapter> stack = group.stack().adapters();
            for (ActiveAdapter active : stack) {
                if (!active.lookAheads().isEmpty()
                        && stack.stream().anyMatch(other -> other.adapter().hasPrompt())) {
                    throw new InputException(active.adapter().method().type().name()
                            + " reads the text first, which it can't together with a prompt");
                }
                for (LookAhead lookAhead : active.lookAheads()) {
                    Set<Long> own = rows.computeIfAbsent(lookAhead, fresh -> new HashSet<>());
                    Arrays.stream(group.rows() == null ? new long[0] : Tensors.longs(group.rows()))
                            .forEach(own::add);
                }
            }
        }
        return new LookAheads(rows);
    }

    /** Computes each look-ahead from the batch and stores the result in the pass. */
    void compute(Backbone backbone, Inputs in, ForwardPass pass) {
        Set<Long> frozen = new HashSet<>();
        rows.forEach((lookAhead, own) -> frozen.addAll(lookAhead.network() == null ? own : Set.of()));
        Tensor seen = null;
        for (Map.Entry<LookAhead, Set<Long>> entry : rows.entrySet()) {
            LookAhead lookAhead = entry.getKey();
            SideNetwork reader = lookAhead.network();
            if (reader == null && seen == null) {
                seen = pass.segment(() -> {
                    try (NoGrad noGrad = new NoGrad()) {
                        ForwardPass rowPass = pass.frozenPass(backbone, row -> frozen.contains((long) row));
                        return new Tensor[] {backbone.forward(in, rowPass).last()};
                    }
                })[0];
            }
            Tensor hidden = reader == null
                    ? Objects.requireNonNull(seen)
                    : reader.forward(in, pass, row -> entry.getValue().contains((long) row));
            Tensor result = pass.segment(() -> new Tensor[] {lookAhead.compute(hidden, pass)})[0];
            pass.putState(lookAhead, result);
            AuxiliaryOutput auxiliary = lookAhead.auxiliary(result, in);
            if (auxiliary != null) {
                pass.auxiliary(auxiliary);
            }
        }
    }
}
