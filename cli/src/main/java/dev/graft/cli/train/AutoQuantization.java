package dev.graft.cli.train;

import com.sun.management.OperatingSystemMXBean;
import dev.graft.cli.config.Memory;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.config.RunConfig.Quantization;
import dev.graft.cli.terminal.Figures;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.ResidentMemory;
import dev.graft.train.Resume;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * {@code quantization=auto}: the base is kept in the first kind with which the run fits {@code memory_limit}, or else most of the machine's
 * memory: whole, int8, nf4, in the order of what they change and cost by the table of PERFORMANCE.md. What a run takes is measured in the
 * smallest kind, so that no try passes what a container allows, and is more in another by what its matrices take more. A checkpoint that is
 * quantised stays as it is, and a run that goes on keeps what it began with.
 */
record AutoQuantization(RunConfig config, Prepared.Files files, PrintWriter err) {
    /** The part of the machine's memory that a run may take without a limit. */
    private static final double SHARE = 0.9;

    /** What a value takes in NF4 with double quantisation, its share of the scales included. */
    private static final double NF4_BYTES = 0.516;

    /** Whole parameters that take less than this part of the room are tried at once. */
    private static final double SMALL = 0.25;

    /** Prepares the run in the kind that is chosen, and says which and why. */
    Prepared prepare(Function<RunConfig, Prepared> preparation) {
        Quantization before = ofCheckpoint();
        if (before != null) {
            return said(
                    preparation.apply(config.withQuantization(before)),
                    Prepared.name(before) + ", as in the checkpoint");
        }
        if (files.checkpoint().tensors() instanceof QuantizedTensors tensors && tensors.keeps()) {
            return said(preparation.apply(config.withQuantization(Quantization.KEEP)), "keep, as the checkpoint is");
        }
        long most = most();
        boolean small = ResidentMemory.bytes() + parameterBytes(Quantization.NONE) < SMALL * most;
        Quantization tried = small ? Quantization.NONE : Quantization.NF4;
        Prepared run = preparation.apply(config.withQuantization(tried));
        Choice choice = choice(tried, needed(run, most), most);
        if (choice.kind != tried) {
            // Nothing of it must stand beside the next one.
            run = null;
            Natives.giveBack();
            ResidentMemory.forgetPeak();
            run = preparation.apply(config.withQuantization(choice.kind));
        }
        return said(run, choice.why);
    }

    private record Choice(Quantization kind, String why) {}

    /** @param needed what the run takes in the kind that was tried; null where the system doesn't say: then the base alone must have room */
    private Choice choice(Quantization tried, @Nullable Long needed, long most) {
        List<String> larger = new ArrayList<>();
        for (Quantization kind : List.of(Quantization.NONE, Quantization.INT8)) {
            long takes = parameterBytes(kind) + (needed == null ? 0 : needed - parameterBytes(tried));
            if (takes <= most) {
                String within =
                        needed == null ? "" : ", which takes at most about " + Figures.bytes(takes) + " of " + room();
                return new Choice(kind, Prepared.name(kind) + within + why(larger));
            }
            larger.add(Prepared.name(kind) + " would take about " + Figures.bytes(takes));
        }
        return new Choice(Quantization.NF4, "nf4" + why(larger) + ", and there are " + room());
    }

    /** What a run takes; null where the system doesn't say what a process takes. */
    private static @Nullable Long needed(Prepared run, long most) {
        int rows = Math.min(run.settings().batching().size(), run.train().size());
        MemoryEstimate one = MemoryEstimate.of(run.settings().withBatchSize(1), run.adapter(), run.train(), most);
        if (one == null || one.withRows(rows).total() <= most) {
            return one == null ? null : Long.valueOf(one.withRows(rows).total());
        }
        MemoryEstimate whole = MemoryEstimate.of(run.settings(), run.adapter(), run.train(), most);
        return whole == null ? null : Long.valueOf(whole.total());
    }

    private static String why(List<String> larger) {
        return larger.isEmpty() ? "" : ": " + String.join(", ", larger);
    }

    private Prepared said(Prepared run, String choice) {
        String note = "quantization=auto takes " + choice;
        err.println(note);
        run.notes().add(note);
        return run;
    }

    private @Nullable Quantization ofCheckpoint() {
        OutputFolder output = OutputFolder.of(config);
        Resume from = output.from();
        Checkpoint found = from == Resume.NEVER ? null : from.find(new Checkpoints(output.path(), 0));
        return found == null
                ? null
                : Quantization.valueOf(found.state()
                        .config()
                        .at("/adapter/quantization")
                        .asString("none")
                        .toUpperCase(Locale.ROOT));
    }

    /** What the parameters take at least: tables as long as the vocabulary stay whole. */
    private long parameterBytes(Quantization kind) {
        TensorSource tensors = files.checkpoint().tensors();
        long vocabulary = files.checkpoint().config().integer("vocab_size", 0, 0);
        boolean halves = Numerics.of(Prepared.name(config.base().dtype())).equals(Numerics.BF16);
        long bytes = 0;
        for (String name : tensors.names()) {
            TensorInfo info = tensors.info(name);
            boolean quantized = kind != Quantization.NONE && info.rank() == 2 && info.shape()[0] != vocabulary;
            double each = quantized ? (kind == Quantization.INT8 ? 1 : NF4_BYTES) : halves ? Short.BYTES : Float.BYTES;
            bytes += Math.round(info.elements() * each);
        }
        return bytes;
    }

    private long most() {
        Memory limit = config.economy().memoryLimit();
        return limit != null ? limit.bytes() : (long) (SHARE * memory());
    }

    private String room() {
        return Figures.bytes(most())
                + (config.economy().memoryLimit() == null
                        ? ", nine tenths of this machine's memory"
                        : " by memory_limit");
    }

    /** Of the machine, or of the container that this runs in. */
    private static long memory() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system
                ? system.getTotalMemorySize()
                : Long.MAX_VALUE;
    }
}
