package dev.graft.cli.train;

import com.sun.management.OperatingSystemMXBean;
import dev.graft.cli.config.Memory;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.config.RunConfig.Quantization;
import dev.graft.cli.terminal.Figures;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.matrices.QuantizedException;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
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
 * smallest kind, so that no try passes what a container allows, and is more in another by what its matrices take more. What trains the
 * matrices themselves has them whole. A checkpoint that is quantised stays as it is, and a run that goes on keeps what it began with.
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
    private Prepared measured(Quantization tried, Function<RunConfig, Prepared> preparation, long most) {
        Prepared run = tried(tried, preparation);
        Choice choice = choice(tried, run.adapter().base(), needed(run, most), most);
        if (choice.kind == tried) {
            return said(run, choice.why);
        }
        run = null;
        forget();
        try {
            return said(preparation.apply(config.withQuantization(choice.kind)), choice.why);
        } catch (InputException refused) {
            // Such as a start that is made for another kind.
            forget();
            return instead(tried, choice.kind, refused, preparation);
        }
    }

    /** An error that follows is one of this kind. */
    private Prepared tried(Quantization kind, Function<RunConfig, Prepared> preparation) {
        err.println("quantization=auto tries " + Prepared.name(kind));
        return preparation.apply(config.withQuantization(kind));
    }

    private Prepared instead(
            Quantization kind, Quantization wanted, InputException refused, Function<RunConfig, Prepared> preparation) {
        return said(
                tried(kind, preparation),
                Prepared.name(kind) + ", since " + Prepared.name(wanted) + " was refused: " + refused.getMessage());
    }

    /** Nothing of a try must stand beside the next one. */
    private static void forget() {
        Natives.giveBack();
        ResidentMemory.forgetPeak();
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
                String within =
                        needed == null ? "" : ", which takes at most about " + Figures.bytes(takes) + " of " + room();
                return new Choice(kind, Prepared.name(kind) + within + why(larger));
            }
            larger.add(Prepared.name(kind) + " would take about " + Figures.bytes(takes));
        }
        return new Choice(Quantization.NF4, "nf4" + why(larger) + ", and there are " + room());
    }

    /** How many values are kept in fewer bits where a base is quantised: those of linear layers, but for the head's. */
    static long quantizable(Base base) {
        return base.sites().stream()
                .filter(site -> site instanceof Linear linear && linear.role() != Role.HEAD)
                .map(site -> ((Linear) site).matrix())
                .distinct()
                .mapToLong(matrix -> matrix.rows() * matrix.columns())
                .sum();
    }

    /** What one of them takes. */
    private double bytes(Quantization kind) {
        return switch (kind) {
            case NF4 -> NF4_BYTES;
            case INT8 -> 1;
            default -> wholeBytes();
        };
    }

    private int wholeBytes() {
        boolean bf16 = Numerics.of(Prepared.name(config.base().dtype())).equals(Numerics.BF16);
        return (bf16 ? Short.BYTES : Float.BYTES)
                + (Boolean.TRUE.equals(config.base().int8Gradients()) ? 1 : 0);
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

    /** About what the process takes with the whole base alone. */
    private long least() {
        TensorSource tensors = files.checkpoint().tensors();
        long values = tensors.names().stream()
                .mapToLong(name -> tensors.info(name).elements())
                .sum();
        return ResidentMemory.bytes() + values * wholeBytes();
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
