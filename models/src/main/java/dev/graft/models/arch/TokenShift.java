package dev.graft.models.arch;

import dev.graft.models.layers.Recurrence;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * RWKV's time shift: each position receives the values of the position before, the first receives zeros. It keeps the
 * last one, {@code [batch, 1, size]}.
 */
final class TokenShift implements Recurrence.RecurrentLayer {
    @Override
    public List<Tensor> read(Tensor x, @Nullable Tensor visible, List<Tensor> state) {
        long n = x.size(1);
        Tensor start = state.isEmpty() ? Tensors.zeros(x.scalar_type(), x.size(0), 1, x.size(2)) : state.get(0);
        Tensor all = Ops.cat(1, start, x);
        return List.of(all.narrow(1, 0, n), Recurrence.last(all, 1, visible));
    }
}
