package dev.graft.run;

import com.sun.management.OperatingSystemMXBean;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedException;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.run.config.MemorySize;
import dev.graft.run.config.RunConfig;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.ResidentMemory;
import dev.graft.train.Resume;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * {@code quantization=auto}: selects the first kind with which the run fits {@code memory_limit}, or else most of the machine's memory. The
 * order is none, int8, nf4, by the loss of quality and speed in PERFORMANCE.md. The need is measured with the smallest kind, so that no
 * attempt exceeds a container's limit, and increased by the size of the matrices in another kind. Methods that train the matrices
 * themselves aren't quantised. A quantised checkpoint stays unchanged, and a resumed run keeps its kind.
 */
record AutoQuantization(RunConfig config, ConfiguredBase.Files files, RunListener listener) {
    /** The part of the machine's memory that a run may take without a limit. */
    private static final double SHARE = 0.9;

    /** The bytes of a value in NF4 with double quantisation, its share of the scales included. */
    private static final double NF4_BYTES = 0.516;

    /** Whole parameters that take less than this part of the room are tried at once. */
    private static final double SMALL = 0.25;

    /** Selects the kind, reports it with the reason, and prepares the run with it. */
    PreparedRun prepare(Function<RunConfig, PreparedRun> preparation) {
        Quantization before = ofCheckpoint();
        if (before != null) {
            return withNote(
                    preparation.apply(config.withQuantization(before)), before.title() + ", as in the checkpoint");
        }
        if (files.checkpoint().tensors() instanceof QuantizedTensors tensors && tensors.keepsQuantization()) {
            return withNote(
                    preparation.apply(config.withQuantization(Quantization.KEEP)), "keep, as the checkpoint is");
        }
        long most = most();
        if (least() < SMALL * most) {
            return measured(Quantization.NONE, preparation, most);
        }
        try {
            return measured(Quantization.NF4, preparation, most);
        } catch (QuantizedException refused) {
            forget();
            if (least() > most) {
                throw refused;
            }
            return instead(Quantization.NONE, Quantization.NF4, refused, preparation);
        }
    }

    /** Tries a kind, and takes the one that is right by what the run takes in it. */
    private PreparedRun measured(Quantization tried, Function<RunConfig, PreparedRun> preparation, long most) {
        PreparedRun run = tried(tried, preparation);
        Choice choice = choice(tried, run.adapter().base(), needed(run, most), most);
        if (choice.kind == tried) {
            return withNote(run, choice.why);
        }
        run = null;
        forget();
        try {
            return withNote(preparation.apply(config.withQuantization(choice.kind)), choice.why);
        } catch (InputException refused) {
            // Such as a start that is made for another kind.
            forget();
            return instead(tried, choice.kind, refused, preparation);
        }
    }

    /** An error that follows is one of this kind. */
    private PreparedRun tried(Quantization kind, Function<RunConfig, PreparedRun> preparation) {
        listener.onNotice("quantization=auto tries " + kind.title());
        return preparation.apply(config.withQuantization(kind));
    }

    private PreparedRun instead(
            Quantization kind,
            Quantization wanted,
            InputException refused,
            Function<RunConfig, PreparedRun> preparation) {
        return withNote(
                tried(kind, preparation),
                kind.title() + ", since " + wanted.title() + " was refused: " + refused.getMessage());
    }

    /** Nothing of a try must stand beside the next one. */
    private static void forget() {
        Natives.releaseMemory();
        ResidentMemory.resetPeak();
    }

    private record Choice(Quantization kind, String why) {}

    /**
     * @param base in the kind that was tried
     * @param needed what the run takes in that kind; null where the system doesn't say: then the base alone must have room
     */
    private Choice choice(Quantization tried, Base base, @Nullable Long needed, long most) {
        long known = needed == null ? base.parameterBytes() : needed;
        long values = quantizable(base);
        List<String> larger = new ArrayList<>();
        for (Quantization kind : List.of(Quantization.NONE, Quantization.INT8)) {
            long takes = known + Math.round(values * (bytes(kind) - bytes(tried)));
            if (takes <= most) {
                String within = needed == null
                        ? ""
                        : ", which takes at most about " + UnitFormat.bytes(takes) + " of " + room();
                return new Choice(kind, kind.title() + within + why(larger));
            }
            larger.add(kind.title() + " would take about " + UnitFormat.bytes(takes));
        }
        return new Choice(Quantization.NF4, "nf4" + why(larger) + ", and there are " + room());
    }

    /** Returns the number of values in fewer bits once a base is quantised: those of linear layers except the head. */
    static long quantizable(Base base) {
        return base.sites().stream()
                .filter(site -> site instanceof Linear linear && linear.role() != Role.HEAD)
                .map(site -> ((Linear) site).matrix())
                .distinct()
                .mapToLong(matrix -> matrix.rows() * matrix.columns())
                .sum();
    }

    /** The bytes of one of them. */
    private double bytes(Quantization kind) {
        return switch (kind) {
            case NF4 -> NF4_BYTES;
            case INT8 -> 1;
            default -> wholeBytes();
        };
    }

    private int wholeBytes() {
        boolean bf16 = config.base().dtype().numerics().equals(Numerics.BF16);
        return (bf16 ? Short.BYTES : Float.BYTES)
                + (Boolean.TRUE.equals(config.base().int8Gradients()) ? 1 : 0);
    }

    /** The memory of a run in bytes; null where the system doesn't report a process's memory. */
    private static @Nullable Long needed(PreparedRun run, long most) {
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

    private PreparedRun withNote(PreparedRun run, String choice) {
        String note = "quantization=auto takes " + choice;
        listener.onNotice(note);
        run.notes().add(note);
        return run;
    }

    private @Nullable Quantization ofCheckpoint() {
        RunFolder output = RunFolder.of(config);
        Resume from = output.from();
        Checkpoint found = from == Resume.NEVER ? null : from.find(new Checkpoints(output.path(), 0));
        return found == null
                ? null
                : Quantization.of(
                        found.state().config().at("/adapter/quantization").asString("none"));
    }

    /** About what the process takes with the whole base alone. */
    private long least() {
        TensorSource tensors = files.checkpoint().tensors();
        long values = tensors.names().stream()
                .mapToLong(name -> tensors.info(name).elements())
                .sum();
        return ResidentMemory.bytes() + values * wholeBytes();
    }

    private long most() {
        MemorySize limit = config.economy().memoryLimit();
        return limit != null ? limit.bytes() : (long) (SHARE * memory());
    }

    private String room() {
        return UnitFormat.bytes(most())
                + (config.economy().memoryLimit() == null
                        ? ", nine tenths of this machine's memory"
                        : " by memory_limit");
    }

    /** The memory of the machine, or of the container that this runs in. */
    private static long memory() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system
                ? system.getTotalMemorySize()
                : Long.MAX_VALUE;
    }
}
