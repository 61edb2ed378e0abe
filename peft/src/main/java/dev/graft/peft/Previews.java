package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Auxiliary;
import dev.graft.models.Backbone;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
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
 * What adapters must know before a pass: the frozen model reads the batch once for all that ask it, networks of adapters' own read it each.
 *
 * @param rows of a ragged pass that each preview is for
 */
record Previews(Map<Preview, Set<Long>> rows) {
    /** @throws InputException if an adapter reads first on rows that have a prompt */
    static Previews of(List<RowGroup> groups) {
        Map<Preview, Set<Long>> rows = new LinkedHashMap<>();
        for (RowGroup group : groups) {
            List<Selection.Active> stack = group.stack().adapters();
            for (Selection.Active active : stack) {
                if (!active.previews().isEmpty()
                        && stack.stream().anyMatch(other -> other.adapter().hasPrompt())) {
                    throw new InputException(active.adapter().method().type().name()
                            + " reads the text first, which it can't together with a prompt");
                }
                for (Preview preview : active.previews()) {
                    Set<Long> own = rows.computeIfAbsent(preview, fresh -> new HashSet<>());
                    Arrays.stream(group.rows() == null ? new long[0] : Tensors.longs(group.rows()))
                            .forEach(own::add);
                }
            }
        }
        return new Previews(rows);
    }

    /** Leaves in the pass what each makes of what was read. */
    void read(Backbone backbone, Inputs in, Pass pass) {
        Set<Long> frozen = new HashSet<>();
        rows.forEach((preview, own) -> frozen.addAll(preview.reader() == null ? own : Set.of()));
        Tensor seen = null;
        for (Map.Entry<Preview, Set<Long>> entry : rows.entrySet()) {
            Preview preview = entry.getKey();
            Network reader = preview.reader();
            if (reader == null && seen == null) {
                seen = pass.piece(() -> {
                    try (NoGrad off = new NoGrad()) {
                        Pass own = pass.frozen(backbone, row -> frozen.contains((long) row));
                        return new Tensor[] {backbone.hidden(in, own).last()};
                    }
                })[0];
            }
            Tensor hidden = reader == null
                    ? Objects.requireNonNull(seen)
                    : reader.read(in, pass, row -> entry.getValue().contains((long) row));
            Tensor result = pass.piece(() -> new Tensor[] {preview.of(hidden, pass)})[0];
            pass.context().note(preview, result);
            Auxiliary auxiliary = preview.auxiliary(result, in);
            if (auxiliary != null) {
                pass.auxiliary(auxiliary);
            }
        }
    }
}
