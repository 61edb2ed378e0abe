package dev.graft.peft.methods.mixture;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * PEFT's {@code XLoraConfig} without the adapters.
 *
 * @param depth the number of layers of the classifier
 * @param size the width between them
 * @param dropout the dropout between them, in training
 * @param layerwise whether each adapted layer has its own shares
 * @param softmax whether the shares of a token sum to one
 * @param temperature the temperature of that softmax
 * @param topK the number of experts for a token; null for all
 * @param softmaxTopK whether the selected shares are normalised by a softmax
 * @param globalWeight the factor of the updates
 * @param trainsExperts whether the experts are trained too
 */
public record XLoraConfig(
        int depth,
        int size,
        double dropout,
        boolean layerwise,
        boolean softmax,
        double temperature,
        @Nullable Integer topK,
        boolean softmaxTopK,
        double globalWeight,
        boolean trainsExperts) {
    /** PEFT's defaults: one layer, one set of shares for all adapted layers. */
    public static final XLoraConfig DEFAULT = new XLoraConfig(1, 2048, 0.2, false, true, 1, null, false, 1, false);

    public XLoraConfig {
        if (depth < 1 || size < 1) {
            throw new InputException(
                    "xlora_depth is " + depth + " and xlora_size " + size + ", expected at least 1 of each");
        }
        if (!(dropout >= 0 && dropout < 1)) {
            throw new InputException("xlora_dropout_p is " + dropout + ", expected 0 or more and less than 1");
        }
        if (!(temperature > 0 && Double.isFinite(temperature))) {
            throw new InputException("softmax_temperature is " + temperature + ", expected a number above 0");
        }
        if (topK != null && topK < 1) {
            throw new InputException("top_k_lora is " + topK + ", expected at least 1");
        }
        if (softmaxTopK && topK == null) {
            throw new InputException("enable_softmax_topk is true, so top_k_lora must be given");
        }
        if (!Double.isFinite(globalWeight)) {
            throw new InputException("global_scaling_weight is " + globalWeight + ", expected a number");
        }
    }

    /** Returns the shares for the classifier's outputs {@code [..., experts]}. */
    Tensor shares(Tensor logits) {
        return softmax ? Ops.scale(logits, 1 / temperature).softmax(-1) : logits;
    }

    /** Returns the shares {@code [..., experts]} of one layer with only the selected ones kept. */
    Tensor chosen(Tensor shares) {
        if (topK == null) {
            return shares;
        }
        Tensor largest = torch.topk(shares.detach(), topK).get1();
        Tensor mask = torch.zeros_like(shares).scatter(-1, largest, new Scalar(1.0));
        if (!softmaxTopK) {
            return shares.mul(mask);
        }
        // A share of exactly zero doesn't act in PEFT either.
        Tensor left = Ops.to(mask, ScalarType.Bool).logical_and(shares.detach().ne(new Scalar(0.0)));
        Tensor none = left.logical_not();
        return shares.masked_fill(none, new Scalar(Float.NEGATIVE_INFINITY))
                .softmax(-1)
                .masked_fill(none, new Scalar(0.0));
    }

    /** Reads PEFT's fields except {@code adapters} and {@code hidden_size}. */
    public static XLoraConfig read(Fields f) {
        if (f.number("scaling_pass_value", 0) != 0) {
            throw f.invalid("scaling_pass_value", "0: the classifier reads what the base makes of a text by itself");
        }
        return new XLoraConfig(
                f.integer("xlora_depth", 1, 1),
                f.integer("xlora_size", 2048, 1),
                f.number("xlora_dropout_p", 0.2),
                f.bool("layerwise_scalings", false),
                f.bool("enable_softmax", true),
                f.number("softmax_temperature", 1),
                f.integerOrNull("top_k_lora"),
                f.bool("enable_softmax_topk", false),
                f.number("global_scaling_weight", 1),
                f.bool("use_trainable_adapters", false));
    }

    void write(ObjectNode c) {
        c.put("xlora_depth", depth);
        c.put("xlora_size", size);
        c.put("xlora_dropout_p", dropout);
        c.put("layerwise_scalings", layerwise);
        c.put("enable_softmax", softmax);
        c.put("softmax_temperature", temperature);
        c.put("top_k_lora", topK);
        c.put("enable_softmax_topk", softmaxTopK);
        c.put("global_scaling_weight", globalWeight);
        c.put("use_trainable_adapters", trainsExperts);
        c.put("scaling_pass_value", 0.0);
    }
}
