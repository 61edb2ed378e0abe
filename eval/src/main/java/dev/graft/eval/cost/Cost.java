package dev.graft.eval.cost;

import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a stretch of work used.
 *
 * @param wallTime seconds that passed
 * @param cpuTime processor seconds, summed over threads
 * @param peakResident the most memory that was resident since the process started, before the stretch included, in bytes
 * @param resident memory resident at the end, in bytes
 * @param energy joules of the whole machine, other processes included, where there are counters; else estimated from processor time, as
 *     its source says
 * @param emissions grams of CO2 equivalent of that energy
 */
public record Cost(
        Measured<Double> wallTime,
        Measured<Double> cpuTime,
        Measured<Long> peakResident,
        Measured<Long> resident,
        Measured<Double> energy,
        Measured<Double> emissions) {

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.set("wall_time", wallTime.toJson());
        json.set("cpu_time", cpuTime.toJson());
        json.set("peak_resident", peakResident.toJson());
        json.set("resident", resident.toJson());
        json.set("energy", energy.toJson());
        json.set("emissions", emissions.toJson());
        return json;
    }
}
