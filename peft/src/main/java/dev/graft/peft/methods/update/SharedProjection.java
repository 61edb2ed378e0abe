package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.tensor.TorchRng;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * Frozen random numbers that all layers of an adapter share, equal to PEFT's, from PyTorch's generator.
 *
 * @param key the generator's seed: PEFT's {@code projection_prng_key}
 * @param saved whether files contain the numbers, or only the key
 */
public record SharedProjection(int key, boolean saved) {
    /** Drawn from the key 0 and saved. */
    public static final SharedProjection SAVED = new SharedProjection(0, true);

    static SharedProjection read(Fields f) {
        return new SharedProjection(f.integer("projection_prng_key", 0), f.bool("save_projection", true));
    }

    void write(ObjectNode c) {
        c.put("projection_prng_key", key);
        c.put("save_projection", saved);
    }

    TorchRng rng() {
        return new TorchRng(key);
    }

    /** Returns Kaiming-uniform numbers, {@code [rows, columns]} with the columns as fan-in, as in VeRA and PVeRA. */
    static Tensor kaiming(TorchRng rng, long rows, long columns) {
        double bound = Math.sqrt(3.0) * (Math.sqrt(2.0) / Math.sqrt(columns));
        return rng.uniform(-bound, bound, rows, columns);
    }
}
