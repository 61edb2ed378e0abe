package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;

/**
 * The same linear layer of all experts of a mixture, in one tensor: a parameter rather than a module, which PEFT's
 * {@code target_parameters} name.
 *
 * @param name the path of the parameter
 * @param weight {@code [experts, out, in]}
 * @param transposed whether checkpoints hold it as {@code [experts, in, out]}, as those of Llama 4 do
 */
public record Experts(String name, int layer, Tensor weight, boolean transposed) implements Site {
    /** The layer of one of them. */
    public Linear at(int expert) {
        return new Linear(name + "." + expert, Role.UP, layer, weight.select(0, expert), null);
    }

    /** Other values {@code [experts, out, in]} as the checkpoint stores them. */
    public Tensor stored(Tensor values) {
        return transposed ? values.transpose(1, 2) : values;
    }

    /** The module that the parameter is of. */
    public String module() {
        return name.substring(0, name.lastIndexOf('.'));
    }

    /** How many there are. */
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
