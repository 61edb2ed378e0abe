package dev.graft.cli.train;

import dev.graft.cli.terminal.Figures;
import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The memory that a run may take: its estimate is compared before the start, what the process takes after every step. */
final class MemoryLimit implements TrainingListener {
    /** Rows that are shorter teach little. */
    private static final int SHORTEST = 16;

    private final long bytes;
    private @Nullable String passed;

    MemoryLimit(long bytes) {
        this.bytes = bytes;
    }

    /**
     * Refuses a run that would take more.
     *
     * @throws InputException naming settings that would fit, or because this system doesn't say what a process takes
     */
    void check(Prepared prepared) {
        MemoryEstimate estimate = estimate(prepared, prepared.settings());
        if (estimate == null) {
            throw new InputException("memory_limit is " + Figures.bytes(bytes)
                    + ", but this system doesn't say how much memory a process takes; leave it out");
        }
        if (estimate.total() > bytes) {
            throw new InputException("memory_limit is " + Figures.bytes(bytes) + ", but the run would take "
                    + estimate.text() + ". " + advice(prepared, estimate));
        }
    }

    private @Nullable MemoryEstimate estimate(Prepared prepared, TrainSettings settings) {
        return MemoryEstimate.of(settings, prepared.adapter(), prepared.train(), bytes);
    }

    private String advice(Prepared prepared, MemoryEstimate estimate) {
        Base base = prepared.adapter().base();
        if (estimate.loaded() > bytes) {
            return "To load the base alone took " + Figures.bytes(estimate.loaded())
                    + ": take a smaller base, or a higher limit" + lessForTheBase(base);
        }
        TrainSettings settings = prepared.settings();
        Economy economy = settings.economy();
        List<String> fits = new ArrayList<>();
        addSmallerBatch(fits, "", estimate, settings.batching());
        MemoryEstimate least = estimate.withRows(1);
        if (!economy.checkpointing()) {
            Economy lean = new Economy(
                    true,
                    economy.freezePercentile(),
                    economy.freezeSteps(),
                    economy.dropBackward(),
                    economy.cacheBytes());
            MemoryEstimate checkpointed = estimate(prepared, settings.with(lean));
            if (checkpointed != null) {
                least = checkpointed.withRows(1);
                if (!addIfFits(fits, "gradient_checkpointing=true", checkpointed) && fits.isEmpty()) {
                    addSmallerBatch(fits, "gradient_checkpointing=true ", checkpointed, settings.batching());
                }
            }
        }
        if (!fits.isEmpty()) {
            return "It fits with " + String.join(", or with ", fits);
        }
        int width = least.widthWithin(bytes);
        if (width >= SHORTEST && !prepared.task().isImages()) {
            return "It may fit with gradient_checkpointing=true batch_size=1 gradient_accumulation_steps="
                    + settings.batching().accumulation() * settings.batching().size() + " max_seq_length=" + width
                    + lessForTheBase(base);
        }
        return "Even one row with gradient_checkpointing would take about " + Figures.bytes(least.total())
                + ": take a shorter max_seq_length, a smaller base, or a higher limit" + lessForTheBase(base);
    }

    private static String lessForTheBase(Base base) {
        return base.quantized().isEmpty() ? "; quantization=nf4 takes less for the base" : "";
    }

    private void addSmallerBatch(List<String> fits, String before, MemoryEstimate estimate, Batching batching) {
        for (int size = batching.size() / 2; size >= 1; size /= 2) {
            int more = batching.accumulation() * ((batching.size() + size - 1) / size);
            String change = before + "batch_size=" + size + " gradient_accumulation_steps=" + more;
            if (addIfFits(fits, change, estimate.withRows(size))) {
                return;
            }
        }
    }

    private boolean addIfFits(List<String> fits, String change, MemoryEstimate estimate) {
        if (estimate.total() > bytes) {
            return false;
        }
        fits.add(change + " (about " + Figures.bytes(estimate.total()) + ")");
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
