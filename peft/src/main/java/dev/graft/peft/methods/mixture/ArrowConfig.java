package dev.graft.peft.methods.mixture;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import io.soabase.recordbuilder.core.RecordBuilder;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * PEFT's {@code ArrowConfig} without the adapters.
 *
 * @param topK the number of experts for a token
 * @param temperature the temperature of the softmax over them
 * @param seed the seed of PEFT's search for the experts' directions, fifteen steps from a random start; null for the exact directions
 */
@RecordBuilder
public record ArrowConfig(
        int topK, double temperature, @Nullable Integer seed) implements ArrowConfigBuilder.With {
    /** PEFT's defaults, with the exact directions. */
    public static final ArrowConfig DEFAULT = new ArrowConfig(3, 1, null);

    public ArrowConfig {
        if (topK < 1) {
            throw new InputException("top_k is " + topK + ", expected at least 1");
        }
        if (!(temperature > 0 && Double.isFinite(temperature))) {
            throw new InputException("router_temperature is " + temperature + ", expected a number above 0");
        }
    }

    static ArrowConfig read(Fields f) {
        return new ArrowConfig(
                f.integer("top_k", 3, 1), f.number("router_temperature", 1), f.integerOrNull("rng_seed"));
    }

    void write(ObjectNode c) {
        c.put("top_k", topK);
        c.put("router_temperature", temperature);
        c.put("rng_seed", seed);
    }
}
