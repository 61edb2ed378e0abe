package dev.graft.peft;

import dev.graft.models.matrices.FusedMatrix;
import dev.graft.models.matrices.Matrix;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.tensor.ops.BatchedLowRankProduct;
import dev.graft.tensor.ops.LowRankFactors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of rows that are generated or encoded together. Low-rank updates of linear layers run on all rows at once, each row with its own
 * adapter. The adapters' own factors are read in place ({@link BatchedLowRankProduct}). Adapters with other effects run on their rows separately.
 * The result of a row doesn't depend on the others. An adapter stays open while it is assigned to a row. Used by one thread.
 *
 * <pre>{@code
 * batch.assign(3, Selection.of(adapter));
 * base.forward(tokens, ForwardPass.ragged(batch.hooks(), passes));
 * }</pre>
 */
public final class AdapterBatch implements AutoCloseable {
    private final List<Selection> selections;

    /** The low-rank updates of each row, where its selection consists of those. */
    private final @Nullable BatchedLowRank[] lowRank;

    /** The last selection of each row that was more than low-rank updates. */
    private final @Nullable Selection[] otherSelections;

    private final Map<Site, BatchedLowRankProduct> updatesBySite = new IdentityHashMap<>();
    private final Map<FusedMatrix, BatchedLowRankProduct> fusedUpdates = new IdentityHashMap<>();
    private @Nullable Hooks hooks;

    /** Creates that many rows without adapters. */
    public AdapterBatch(int count) {
        selections = new ArrayList<>(Collections.nCopies(count, Selection.BASE));
        lowRank = new BatchedLowRank[count];
        otherSelections = new Selection[count];
    }

    /** Assigns a selection to a row; if this fails, the row has no adapter. */
    public void assign(int row, Selection selection) {
        if (selections.get(row) != selection && !assignLowRank(row, selection)) {
            selections.set(row, selection);
            hooks = null;
        }
    }

    /**
     * Assigns a selection to a row if it consists of low-rank updates or is empty.
     *
     * @return whether it was assigned; otherwise the row has no adapter until {@link #assign}
     */
    public boolean assignLowRank(int row, Selection selection) {
        if (selections.get(row) == selection || otherSelections[row] == selection) {
            return otherSelections[row] != selection;
        }
        clear(row);
        otherSelections[row] = null;
        int same = selections.indexOf(selection);
        BatchedLowRank known = same < 0 ? null : lowRank[same];
        BatchedLowRank update = known == null ? selection.lowRank() : known;
        if (update == null) {
            otherSelections[row] = selection;
            return false;
        }
        lowRank[row] = update.factors().isEmpty() ? null : update;
        try {
            update.factors().forEach((site, factors) -> assign(row, site, factors));
        } catch (RuntimeException failure) {
            clear(row);
            throw failure;
        }
        selections.set(row, selection);
        return true;
    }

    private void assign(int row, Linear site, @Nullable LowRankFactors factors) {
        updates(site).put(row, RowUpdates.layers(site).indexOf(site.matrix()), factors);
    }

    private BatchedLowRankProduct updates(Linear site) {
        BatchedLowRankProduct known = updatesBySite.get(site);
        if (known == null) {
            FusedMatrix fused = FusedMatrix.of(site.matrix());
            known = fused == null
                    ? createUpdates(site)
                    : fusedUpdates.computeIfAbsent(fused, layers -> createUpdates(site));
            updatesBySite.put(site, known);
        }
        return known;
    }

    private BatchedLowRankProduct createUpdates(Linear site) {
        List<Long> outs = RowUpdates.layers(site).stream().map(Matrix::rows).toList();
        return new BatchedLowRankProduct(
                site.type(), lowRank.length, site.matrix().columns(), outs);
    }

    /** Returns the selection of a row. */
    public Selection at(int row) {
        return selections.get(row);
    }

    /** Removes the adapter of a row that no longer has a text. */
    public void clear(int row) {
        hooks = null;
        selections.set(row, Selection.BASE);
        BatchedLowRank update = lowRank[row];
        if (update != null) {
            lowRank[row] = null;
            update.factors().keySet().forEach(site -> assign(row, site, null));
            if (Arrays.stream(lowRank).noneMatch(other -> other == update)) {
                update.close();
            }
        }
    }

    /** Returns the hooks for a pass of all rows, or of the first ones. They are valid until a row changes. */
    public Hooks hooks() {
        Hooks known = hooks;
        if (known == null) {
            List<List<ActiveAdapter>> rest = IntStream.range(0, lowRank.length)
                    .mapToObj(row -> lowRank[row] != null
                            ? List.<ActiveAdapter>of()
                            : selections.get(row).stack())
                    .toList();
            known = AdapterHooks.eachRow(rest, rows(0, lowRank.length, null));
            hooks = known;
        }
        return known;
    }

    /**
     * Returns the hooks for a pass of adjacent rows, all of which have {@linkplain #assignLowRank low-rank updates}.
     * They are valid until one of these rows changes.
     */
    public Hooks hooks(int first, int count) {
        return AdapterHooks.eachRow(List.of(), rows(first, count, null));
    }

    /**
     * Returns the hooks for a pass of one row that contains the consecutive texts of the first rows, with padding at the end. All of them have
     * {@linkplain #assignLowRank low-rank updates}. The hooks are valid until one of these rows changes.
     *
     * @param lengths the number of tokens of each text
     */
    public Hooks hooks(int[] lengths) {
        return AdapterHooks.eachRow(List.of(), rows(0, lengths.length, lengths.clone()));
    }

    private @Nullable RowUpdates rows(int first, int count, int @Nullable [] lengths) {
        boolean some = Arrays.stream(lowRank, first, first + count).anyMatch(Objects::nonNull);
        return some ? new RowUpdates(updatesBySite, fusedUpdates, first, count, lengths) : null;
    }

    @Override
    public void close() {
        for (int row = 0; row < lowRank.length; row++) {
            clear(row);
        }
        updatesBySite.values().stream().distinct().forEach(BatchedLowRankProduct::close);
        updatesBySite.clear();
        fusedUpdates.clear();
    }
}
