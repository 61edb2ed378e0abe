package dev.graft.peft;

import dev.graft.models.sites.Attention;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of a selection before those of an attention layer. Every layer of a kind has equally many; a layer that its adapter
 * excludes has hidden zeros there.
 */
final class Prefixes {
    private Prefixes() {}

    static @Nullable Prefix of(List<RowGroup> groups, Attention site, long batch, PassView pass) {
        long longest = 0;
        for (RowGroup group : groups) {
            longest = Math.max(longest, length(group, site));
        }
        if (longest == 0) {
            return null;
        }
        long[] mask = new long[Math.toIntExact(batch * longest)];
        long[] shift = new long[(int) batch];
        for (RowGroup group : groups) {
            for (long row : group.indices(batch)) {
                int at = Math.toIntExact((row + 1) * longest - length(group, site));
                for (ActiveAdapter active : group.stack().adapters()) {
                    int length = Math.toIntExact(active.prefixLength(site));
                    Arrays.fill(mask, at, at + length, prefixes(active, site).isEmpty() ? 0 : 1);
                    at += length;
                    shift[(int) row] += active.prefixShift(site);
                }
            }
        }
        long length = longest;
        return new Prefix(
                () -> keysAndValues(groups, site, batch, length, pass),
                Tensors.of(mask, batch, longest),
                Tensors.of(shift, batch));
    }

    private static long length(RowGroup group, Attention site) {
        return group.stack().adapters().stream()
                .mapToLong(active -> active.prefixLength(site))
                .sum();
    }

    private static List<Effect.Prefix> prefixes(ActiveAdapter active, Attention site) {
        List<Effect.Prefix> prefixes = new ArrayList<>();
        for (Effect effect : active.effects(site)) {
            if (effect instanceof Effect.Prefix prefix) {
                prefixes.add(prefix);
            }
        }
        return prefixes;
    }

    /** {@code [2, batch, heads, longest, headDim]}. */
    private static Tensor keysAndValues(
            List<RowGroup> groups, Attention site, long batch, long longest, PassView pass) {
        Tensor all = null;
        for (RowGroup group : groups) {
            List<Tensor> parts = new ArrayList<>();
            long rows = group.size(batch);
            for (ActiveAdapter active : group.stack().adapters()) {
                List<Effect.Prefix> prefixes = prefixes(active, site);
                for (Effect.Prefix prefix : prefixes) {
                    parts.add(keysAndValues(prefix, group, rows, pass));
                }
                if (prefixes.isEmpty() && active.prefixLength(site) > 0) {
                    parts.add(zeros(active, site, rows, active.prefixLength(site)));
                }
            }
            if (!parts.isEmpty()) {
                Tensor part = Ops.cat(3, parts.toArray(Tensor[]::new));
                Tensor padded = RowGroup.padded(part, longest - part.size(3), 3);
                if (group.rows() == null) {
                    return padded;
                }
                if (all == null) {
                    all = Tensors.zeros(part.scalar_type(), 2, batch, site.heads(), longest, site.headDim());
                }
                all = all.index_copy(1, group.rows(), padded);
            }
        }
        if (all == null) {
            throw new IllegalStateException(site.name() + " has no prefix");
        }
        return all;
    }

    private static Tensor zeros(ActiveAdapter active, Attention site, long rows, long length) {
        ScalarType type = active.adapter().base().numerics().small();
        return Tensors.zeros(type, 2, rows, site.heads(), length, site.headDim());
    }

    private static Tensor keysAndValues(Effect.Prefix prefix, RowGroup group, long rows, PassView pass) {
        Tensor shared = prefix.keyValues().apply(pass).transpose(1, 2).unsqueeze(1);
        Tensor each = Dropout.apply(shared.expand(2, rows, -1, -1, -1), prefix.dropout(), pass.isTraining());
        UnaryOperator<Tensor> gates = prefix.gates();
        return gates == null ? each : each.mul(gates.apply(group.of(pass.attentionInput())));
    }
}
