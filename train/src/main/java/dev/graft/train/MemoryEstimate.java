package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Parameter;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;

/**
 * How much memory a run will take at its widest batch, in bytes. What is held is counted; what a forward pass keeps for the backward pass
 * is a formula: for each token and each linear layer of the network, a multiple of the layer's inputs and outputs. With LoRA on every
 * linear layer of MiniLM and SmolLM2-135M, at 256 to 4,096 tokens a batch, the total was within 15 % of what the process took.
 *
 * <pre>{@code
 * MemoryEstimate.of(adapter, settings, 512).text();
 * }</pre>
 *
 * @param process the JVM and libtorch before anything is loaded
 * @param base the frozen parameters
 * @param adapter the adapter's parameters
 * @param gradients of the trained ones
 * @param optimizer what the optimiser remembers
 * @param copies of the trained parameters: the best so far, and the moving average
 * @param activations what the forward pass keeps for the backward pass
 * @param logits of the rows that are at the vocabulary head at once, with their gradient
 */
public record MemoryEstimate(
        long process,
        long base,
        long adapter,
        long gradients,
        long optimizer,
        long copies,
        long activations,
        long logits) {
    private static final long PROCESS = 280L << 20;

    /** Of the inputs and outputs of a linear layer: in the type of the base, and bytes beside those in fp32. */
    private static final double KEPT = 1.4;

    private static final double KEPT_BYTES = 1.6;

    private static final int ROWS_AT_HEAD = 256;
    private static final int COPIES_AT_HEAD = 4;

    /**
     * For the batch size and economy of these settings.
     *
     * @param width tokens of the longest row
     */
    public static MemoryEstimate of(Adapter adapter, TrainSettings settings, int width) {
        Base base = adapter.base();
        long trained = 0;
        long held = 0;
        for (Parameter parameter : adapter.parameters().values()) {
            held += parameter.value().nbytes();
            trained += parameter.trainable() ? parameter.value().nbytes() : 0;
        }
        TrainSettings.Optimization optimization = settings.optimization();
        long tokens = (long) settings.batching().size() * width;
        Linear output = base.head().output();
        long atHead = output == null ? 0 : Math.min(tokens, ROWS_AT_HEAD) * output.out() * Float.BYTES * COPIES_AT_HEAD;
        return new MemoryEstimate(
                PROCESS,
                base.parameters().values().stream().mapToLong(Tensor::nbytes).sum(),
                held,
                trained,
                optimization.optimizer().stateBytes(trained / Float.BYTES),
                optimization.averaging() == null ? trained : 2 * trained,
                Math.round(perToken(base, settings.economy().checkpointing()) * tokens),
                atHead);
    }

    /** What a forward pass keeps of a token, in bytes: of all layers, or of one and the inputs of the others. */
    private static double perToken(Base base, boolean checkpointing) {
        Map<Integer, Double> layers = new TreeMap<>();
        for (Site site : base.sites()) {
            if (site instanceof Linear linear && linear.layer() >= 0) {
                double bytes = KEPT * linear.weight().element_size() + KEPT_BYTES;
                layers.merge(linear.layer(), bytes * (linear.in() + linear.out()), Double::sum);
            }
        }
        double all = layers.values().stream().mapToDouble(Double::doubleValue).sum();
        if (!checkpointing) {
            return all;
        }
        double largest =
                layers.values().stream().mapToDouble(Double::doubleValue).max().orElse(0);
        return largest + (double) layers.size() * base.backbone().size().hidden() * Float.BYTES;
    }

    public long total() {
        return process + base + adapter + gradients + optimizer + copies + activations + logits;
    }

    /** One line, in MB. */
    public String text() {
        return String.format(
                Locale.ROOT,
                "about %,d MB: process %,d, base %,d, adapter %,d, gradients %,d, optimiser %,d, copies %,d,"
                        + " activations %,d, logits %,d",
                total() >> 20,
                process >> 20,
                base >> 20,
                adapter >> 20,
                gradients >> 20,
                optimizer >> 20,
                copies >> 20,
                activations >> 20,
                logits >> 20);
    }
}
