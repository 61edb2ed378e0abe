package dev.graft.cli.train;

import dev.graft.cli.terminal.Figures;
import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The memory that a run may take: its estimate is compared before the start, what the process takes after every step. */
final class MemoryLimit implements TrainingListener {
    private final long bytes;
    private @Nullable String passed;

    MemoryLimit(long bytes) {
        this.bytes = bytes;
    }

    /**
     * Refuses a run that would take more.
     *
     * @throws InputException naming settings that would fit
     */
    void check(Prepared prepared) {
        Adapter adapter = prepared.adapter();
        TrainSettings settings = prepared.settings();
        int width = width(prepared);
        MemoryEstimate estimate = MemoryEstimate.of(adapter, settings, width);
        if (estimate.total() > bytes) {
            throw new InputException("memory_limit is " + Figures.bytes(bytes) + ", but "
                    + settings.batching().size()
                    + " rows of " + width + " tokens would take " + estimate.text() + ". "
                    + advice(adapter, settings, width));
        }
    }

    /** Tokens of the longest row, or patches of an image. */
    static int width(Prepared prepared) {
        return prepared.task().isImages()
                ? prepared.adapter().base().backbone().maxPositions()
                : Arrays.stream(prepared.train().lengths()).max().orElse(0);
    }

    private String advice(Adapter adapter, TrainSettings settings, int width) {
        List<String> fits = new ArrayList<>();
        boolean already = settings.economy().checkpointing();
        Economy economy = settings.economy();
        TrainSettings lean = settings.with(new Economy(
                true, economy.freezePercentile(), economy.freezeSteps(), economy.dropBackward(), economy.cacheBytes()));
        if (!already) {
            addIfFits(fits, "gradient_checkpointing=true", adapter, lean, width);
            addSmallerBatch(fits, "", adapter, settings, width);
        }
        if (already || fits.isEmpty()) {
            addSmallerBatch(fits, already ? "" : "gradient_checkpointing=true ", adapter, lean, width);
        }
        if (!fits.isEmpty()) {
            return "It fits with " + String.join(", or with ", fits);
        }
        Base base = adapter.base();
        long least = MemoryEstimate.of(adapter, lean.withBatchSize(1), width).total();
        return "Even one row with gradient_checkpointing would take about " + Figures.bytes(least)
                + ": take a shorter max_seq_length, a smaller base"
                + (base.numerics().base().toString().equals("Float") ? ", dtype bf16" : "") + ", or a higher limit";
    }

    private void addSmallerBatch(List<String> fits, String before, Adapter adapter, TrainSettings settings, int width) {
        Batching batching = settings.batching();
        for (int size = batching.size() / 2; size >= 1; size /= 2) {
            int more = batching.accumulation() * ((batching.size() + size - 1) / size);
            String change = before + "batch_size=" + size + " gradient_accumulation_steps=" + more;
            if (addIfFits(fits, change, adapter, settings.withBatchSize(size), width)) {
                return;
            }
        }
    }

    private boolean addIfFits(List<String> fits, String change, Adapter adapter, TrainSettings settings, int width) {
        long total = MemoryEstimate.of(adapter, settings, width).total();
        if (total > bytes) {
            return false;
        }
        fits.add(change + " (about " + Figures.bytes(total) + ")");
        return true;
    }

    @Override
    public void onStep(Stepped stepped) {
        Long peak = ProcessMemory.peakResident().value();
        if (peak != null && peak > bytes && passed == null) {
            passed = "the process took " + Figures.bytes(peak) + " at step " + stepped.step() + ", memory_limit is "
                    + Figures.bytes(bytes)
                    + "; a smaller batch_size or gradient_checkpointing takes less, the dry run says how much";
        }
    }

    /** What is said of a process that took more; null while it kept the limit. */
    @Nullable
    String passed() {
        return passed;
    }
}
