package dev.graft.run;

import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.run.progress.UnitFormat;
import dev.graft.tensor.Natives;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import dev.graft.train.data.Examples;
import dev.graft.train.data.TrainingObjective;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The limit of a run's memory. The estimate is checked before the start, and the resident memory of the process after every step.
 */
public final class MemoryLimit implements TrainingListener {
    /** Rows that are shorter teach little. */
    private static final int SHORTEST = 16;

    /**
     * The factor of free memory in advice: an estimate may be low, by 6 % on a processor with AVX512-BF16 and without
     * AMX.
     */
    private static final double ROOM = 1.1;

    private final long bytes;
    private @Nullable String passed;

    public MemoryLimit(long bytes) {
        this.bytes = bytes;
    }

    /**
     * Rejects a run that would need more.
     *
     * @throws InputException naming settings that would fit, or if the operating system doesn't report a process's memory
     */
    public void check(PreparedRun prepared) {
        MemoryEstimate estimate = estimate(prepared, prepared.settings(), prepared.train());
        if (estimate == null) {
            throw new InputException("memory_limit is " + UnitFormat.bytes(bytes)
                    + ", but this system doesn't say how much memory a process takes; leave it out");
        }
        if (estimate.total() > bytes) {
            throw new InputException("memory_limit is " + UnitFormat.bytes(bytes) + ", but the run would take "
                    + estimate.text() + ". " + advice(prepared, estimate));
        }
    }

    /**
     * Returns a dry run's line about the limit: whether the estimate would reject the run, or a step would end it.
     *
     * @param peak the peak memory of the process in bytes
     */
    public String judged(MemoryEstimate estimate, long peak) {
        String limit = "memory_limit " + UnitFormat.bytes(bytes);
        if (estimate.total() > bytes) {
            return limit + " would be passed by the estimate: the run would be refused";
        }
        return peak > bytes
                ? limit + " would be passed by the batch that was tried: the run would end there"
                : limit + " would be kept";
    }

    private @Nullable MemoryEstimate estimate(PreparedRun prepared, TrainSettings settings, Examples rows) {
        return MemoryEstimate.of(settings, prepared.adapter(), rows, bytes);
    }

    private String advice(PreparedRun prepared, MemoryEstimate estimate) {
        Base base = prepared.adapter().base();
        String teacher = teacher(prepared);
        String smallerTeacher = teacher == null ? "" : ", a smaller teacher than " + teacher;
        if (estimate.loaded() > bytes) {
            return "To load the base" + (teacher == null ? "" : " and the teacher " + teacher) + " alone took "
                    + UnitFormat.bytes(estimate.loaded()) + ": take a smaller base" + smallerTeacher
                    + ", or a higher limit" + lessForTheBase(base);
        }
        TrainSettings settings = prepared.settings();
        Economy economy = settings.economy();
        List<String> fits = new ArrayList<>();
        addSmallerBatch(fits, "", estimate, settings.batching());
        MemoryEstimate least = estimate;
        TrainSettings lean = settings;
        if (!economy.checkpointing()) {
            lean = settings.withEconomy(economy.withCheckpointing(true));
            MemoryEstimate checkpointed = estimate(prepared, lean, prepared.train());
            if (checkpointed != null) {
                least = checkpointed;
                if (!addIfFits(fits, "gradient_checkpointing=true", checkpointed) && fits.isEmpty()) {
                    addSmallerBatch(fits, "gradient_checkpointing=true ", checkpointed, settings.batching());
                }
            }
        }
        if (fits.isEmpty() && prepared.train().canBeCut()) {
            addShorterRows(fits, prepared, lean, least.withRows(1));
        }
        if (!fits.isEmpty()) {
            return "It fits with " + String.join(", or with ", fits);
        }
        return "Even one row with gradient_checkpointing would take about "
                + UnitFormat.bytes(least.withRows(1).total())
                + ": take a shorter max_seq_length, a smaller base" + smallerTeacher
                + ", a smaller rank, or a higher limit"
                + lessForTheBase(base);
    }

    /** The name of a base that stands in memory beside the run's own. */
    private static @Nullable String teacher(PreparedRun prepared) {
        if (!(prepared.train().objective() instanceof TrainingObjective.Distill objective)) {
            return null;
        }
        Base base = objective.teacher().base();
        return base == prepared.adapter().base() ? null : base.name();
    }

    /** Tries one row at a time, ever shorter, until it fits. */
    private void addShorterRows(List<String> fits, PreparedRun prepared, TrainSettings lean, MemoryEstimate one) {
        int rows = lean.batching().accumulation() * lean.batching().size();
        int shortest = IntStream.of(prepared.train().lengths()).min().orElse(0);
        for (int width = one.widthWithin(bytes); width >= SHORTEST && fits.isEmpty(); width = width * 3 / 4) {
            MemoryEstimate estimate =
                    estimate(prepared, lean.withBatchSize(1), prepared.train().longest(width));
            if (estimate == null) {
                return;
            }
            // Else what was compiled for each length would stand beside the shorter ones, and none would fit.
            Natives.freeCompiled();
            String change = "gradient_checkpointing=true batch_size=1 gradient_accumulation_steps=" + rows
                    + " max_seq_length=" + width + (shortest > width ? " overflow=truncate" : "");
            addIfFits(fits, change, estimate);
        }
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
        if (estimate.total() * ROOM > bytes) {
            return false;
        }
        fits.add(change + " (about " + UnitFormat.bytes(estimate.total()) + ")");
        return true;
    }

    /** Returns the memory that an evaluation freed to the system before the next step. */
    @Override
    public void onEvaluate(Evaluated evaluated) {
        releaseMemory();
    }

    /** Returns the memory that saving a checkpoint freed to the system. */
    @Override
    public void onSave(Saved saved) {
        releaseMemory();
    }

    /** Returns free memory to the system, if there is a limit. */
    void releaseMemory() {
        if (bytes < Long.MAX_VALUE) {
            Natives.releaseMemory();
        }
    }

    @Override
    public void onStep(Stepped stepped) {
        if (bytes == Long.MAX_VALUE) {
            return;
        }
        Natives.freeCompiled();
        Natives.trim();
        Long peak = ProcessMemory.peakResident().value();
        if (peak != null && peak > bytes && passed == null) {
            passed = "the process took " + UnitFormat.bytes(peak) + " at step " + stepped.step() + ", memory_limit is "
                    + UnitFormat.bytes(bytes)
                    + "; a smaller batch_size or gradient_checkpointing takes less, the dry run says how much";
        }
    }

    /** The message about a process that passed the limit; null while it kept it. */
    @Nullable
    String passed() {
        return passed;
    }
}
