package dev.graft.eval.compare;

import dev.graft.formats.Fields;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a method costs, measured in a process that does nothing else.
 *
 * @param key a digest of all that decides it, as for an {@link Outcome}
 * @param adapterBytes of the saved folder
 * @param step median seconds of a training step
 * @param tokensPerSecond real tokens of those steps, padding not counted
 * @param memory while it trains
 * @param frozen latency of a single row in the base alone
 * @param adapted latency with the adapter beside the base; null where nothing is trained
 * @param merged latency with the adapter merged into the base; null where it can't be
 * @param modularity what it can do as a module; null where nothing is trained
 * @param threads of tensor arithmetic
 * @param machine that it was measured on
 */
public record Footprint(
        String method,
        String key,
        long trainable,
        long total,
        long adapterBytes,
        double step,
        double tokensPerSecond,
        Memory memory,
        Latency frozen,
        @Nullable Latency adapted,
        @Nullable Latency merged,
        @Nullable Modularity modularity,
        int threads,
        JsonNode machine) {

    /**
     * Memory of the process in bytes.
     *
     * @param base the base's parameters as they are held
     * @param adapter the adapter's parameters, trained or not
     * @param gradients of the trained parameters
     * @param optimiser AdamW's two moments of each
     * @param peak the most that was resident during training, the Java machine and libtorch included; 0 if unknown
     * @param activations what training needs beside all that: the peak above what was resident before, less gradients and moments
     */
    public record Memory(long base, long adapter, long gradients, long optimiser, long peak, long activations) {}

    /**
     * Seconds for one row.
     *
     * @param p50 half of the rows take no longer
     * @param p95 95 of 100 rows take no longer
     */
    public record Latency(double p50, double p95) {}

    /**
     * What a module must do, tried out.
     *
     * @param detaches without it the base answers as before, bit for bit
     * @param swaps after another adapter of the method had its turn it answers as before
     * @param besides in a batch with rows of the base and of another adapter, each row is answered as alone
     * @param reloads loaded from its folder on the base, it answers as before
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
                new Memory(
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
