package dev.graft.peft;

import dev.graft.models.matrices.FusedMatrix;
import dev.graft.models.matrices.Matrix;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.ops.BatchedLowRankProduct;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The low-rank updates of the rows of a pass. */
final class RowUpdates {
    private final Map<Site, BatchedLowRankProduct> updatesBySite;
    private final Map<FusedMatrix, BatchedLowRankProduct> fusedUpdates;
    private final int first;
    private final int count;
    private final int @Nullable [] lengths;

    /** @param lengths the lengths of texts in one row, or null if each has its own row */
    RowUpdates(
            Map<Site, BatchedLowRankProduct> updatesBySite,
            Map<FusedMatrix, BatchedLowRankProduct> fusedUpdates,
            int first,
            int count,
            int @Nullable [] lengths) {
        this.updatesBySite = updatesBySite;
        this.fusedUpdates = fusedUpdates;
        this.first = first;
        this.count = count;
        this.lengths = lengths;
    }

    /** Returns the matrices of the layers with the same input. */
    static List<Matrix> layers(Linear site) {
        FusedMatrix fused = FusedMatrix.of(site.matrix());
        return fused == null ? List.of(site.matrix()) : fused.matrices();
    }

    /** The rows that low-rank updates adapt, with the facts that their loops depend on. */
    record UpdateSignature(int first, int count, Map<BatchedLowRankProduct, Long> updates) {}

    /** Returns the signature of the updates; null where texts share one row. */
    @Nullable
    UpdateSignature signature() {
        if (lengths != null) {
            return null;
        }
        Map<BatchedLowRankProduct, Long> acting = new HashMap<>();
        for (BatchedLowRankProduct updates : updatesBySite.values()) {
            if (updates.hasUpdate(first, count)) {
                acting.put(updates, updates.maxRank());
            }
        }
        return new UpdateSignature(first, count, acting);
    }

    boolean actsOn(Site site) {
        BatchedLowRankProduct updates = updatesBySite.get(site);
        return updates != null && updates.hasUpdate(first, count);
    }

    /**
     * Returns the updates of the rows, {@code [rows, seq, out]}, to which the layer's product is added. Null for none.
     */
    @Nullable
    Tensor added(Linear site, Tensor x) {
        Tensor all = added(updatesBySite.get(site), x);
        if (all == null || all.size(2) == site.out()) {
            return all;
        }
        List<Matrix> layers = layers(site);
        int place = layers.indexOf(site.matrix());
        long start = layers.subList(0, place).stream().mapToLong(Matrix::rows).sum();
        return all.narrow(2, start, site.out());
    }

    /** Returns the updates of fused layers side by side. Null for none. */
    @Nullable
    Tensor added(FusedMatrix fused, Tensor x) {
        return added(fusedUpdates.get(fused), x);
    }

    private @Nullable Tensor added(@Nullable BatchedLowRankProduct updates, Tensor x) {
        if (updates == null || !updates.hasUpdate(first, lengths == null ? (int) x.size(0) : count)) {
            return null;
        }
        return lengths == null ? updates.times(x, first) : updates.times(x, first, lengths);
    }
}
