package dev.graft.eval.compare;

import dev.graft.formats.Fields;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The costs of a method, measured in a process that does nothing else.
 *
 * @param key a digest of everything that decides the costs, as for a {@link TrialOutcome}
 * @param trainable the number of trained parameters
 * @param total the number of parameters of base and adapter
 * @param adapterBytes the size of the saved folder in bytes
 * @param step the median seconds of a training step
 * @param tokensPerSecond tokens per second of those steps, padding excluded
 * @param memory the memory during training
 * @param frozen the latency of a single row in the base alone
 * @param adapted the latency with the unmerged adapter; null if nothing is trained
 * @param merged the latency with the adapter merged into the base; null if it can't be merged
 * @param modularity the tested properties of a module; null if nothing is trained
 * @param threads the number of threads for tensor arithmetic
 * @param machine the machine of the measurement
 */
public record Footprint(
        String method,
        String key,
        long trainable,
        long total,
        long adapterBytes,
        double step,
        double tokensPerSecond,
        MemoryFootprint memory,
        Latency frozen,
        @Nullable Latency adapted,
        @Nullable Latency merged,
        @Nullable Modularity modularity,
        int threads,
        JsonNode machine) {

    /**
     * Memory of the process in bytes.
     *
     * @param base the base's parameters in their types in memory
     * @param adapter the adapter's parameters, trained or not
     * @param gradients the gradients of the trained parameters
     * @param optimiser AdamW's two moments of each trained parameter
     * @param peak the peak resident memory during training, JVM and libtorch included; 0 if unknown
     * @param activations the other memory of training: the peak above what was resident before, less gradients and moments
     */
    public record MemoryFootprint(
            long base, long adapter, long gradients, long optimiser, long peak, long activations) {}

    /**
     * Seconds for one row.
     *
     * @param p50 the median
     * @param p95 the 95th percentile
     */
    public record Latency(double p50, double p95) {}

    /**
     * The properties of a module, each tested.
     *
     * @param detaches true if the base without it has bit-identical outputs to before
     * @param swaps true if its outputs are the same after another adapter was active
     * @param besides true if each row of a batch with the base and another adapter has the same output as alone
     * @param reloads true if its outputs are the same after loading it from its folder
     */
    public record Modularity(boolean detaches, boolean swaps, boolean besides, boolean reloads) {
        public boolean all() {
            return detaches && swaps && besides && reloads;
        }
    }

    /** The content of its file. */
    ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("method", method);
        json.put("key", key);
        json.put("trainable", trainable);
        json.put("total", total);
        json.put("adapter_bytes", adapterBytes);
        json.put("step_seconds", step);
        json.put("tokens_per_second", tokensPerSecond);
        json.putObject("memory_bytes")
                .put("base", memory.base)
                .put("adapter", memory.adapter)
                .put("gradients", memory.gradients)
                .put("optimiser", memory.optimiser)
                .put("activations", memory.activations)
                .put("peak", memory.peak);
        ObjectNode latency = json.putObject("row_seconds");
        put(latency, "frozen", frozen);
        put(latency, "adapted", adapted);
        put(latency, "merged", merged);
        if (modularity != null) {
            json.putObject("modularity")
                    .put("detaches", modularity.detaches)
                    .put("swaps", modularity.swaps)
                    .put("besides", modularity.besides)
                    .put("reloads", modularity.reloads);
        }
        json.put("threads", threads);
        json.set("machine", machine);
        return json;
    }

    private static void put(ObjectNode json, String name, @Nullable Latency latency) {
        if (latency != null) {
            json.putObject(name).put("p50", latency.p50).put("p95", latency.p95);
        }
    }

    /** @throws dev.graft.formats.FormatException if a field is missing or of another type */
    static Footprint of(Fields json) {
        Fields memory = json.object("memory_bytes");
        Fields latency = json.object("row_seconds");
        Fields modularity = json.objectOrNull("modularity");
        JsonNode machine = json.node("machine");
        return new Footprint(
                json.string("method"),
                json.string("key"),
                (long) json.number("trainable"),
                (long) json.number("total"),
                (long) json.number("adapter_bytes"),
                json.number("step_seconds"),
                json.number("tokens_per_second"),
                new MemoryFootprint(
                        (long) memory.number("base"),
                        (long) memory.number("adapter"),
                        (long) memory.number("gradients"),
                        (long) memory.number("optimiser"),
                        (long) memory.number("peak"),
                        (long) memory.number("activations")),
                latency(latency.object("frozen")),
                latency.has("adapted") ? latency(latency.object("adapted")) : null,
                latency.has("merged") ? latency(latency.object("merged")) : null,
                modularity == null
                        ? null
                        : new Modularity(
                                modularity.bool("detaches"),
                                modularity.bool("swaps"),
                                modularity.bool("besides"),
                                modularity.bool("reloads")),
                json.integer("threads"),
                machine == null ? JsonNodeFactory.instance.objectNode() : machine);
    }

    private static Latency latency(Fields json) {
        return new Latency(json.number("p50"), json.number("p95"));
    }
}
