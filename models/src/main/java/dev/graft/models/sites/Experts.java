package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;

/**
 * A linear layer of all experts of a mixture, in one tensor: a parameter rather than a module, which PEFT's {@code target_parameters} name.
 *
 * @param name the path of the parameter
 * @param weight {@code [experts, out, in]}
 * @param transposed whether checkpoints store it as {@code [experts, in, out]}, as in Llama 4
 */
public record Experts(String name, int layer, Tensor weight, boolean transposed) implements Site {
    /** Returns the layer of one expert. */
    public Linear at(int expert) {
        return new Linear(name + "." + expert, Role.UP, layer, weight.select(0, expert), null);
    }

    /** Returns values {@code [experts, out, in]} in the layout of the checkpoint. */
    public Tensor stored(Tensor values) {
        return transposed ? values.transpose(1, 2) : values;
    }

    /** The path of the module that contains the parameter. */
    public String module() {
        return name.substring(0, name.lastIndexOf('.'));
    }

    /** The number of experts. */
    public long count() {
        return weight.size(0);
    }

    public long out() {
        return weight.size(1);
    }

    public long in() {
        return weight.size(2);
    }
}
