package dev.graft.eval.cost;

import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The resources used between {@link CostMeter#start} and {@link CostMeter#read}.
 *
 * @param wallTime elapsed seconds
 * @param cpuTime processor seconds, summed over threads
 * @param peakResident the peak resident memory since the process started, in bytes
 * @param resident the resident memory at the end, in bytes
 * @param energy joules of the whole machine, other processes included, if there are counters; otherwise an estimate from processor time, as
 *     its source says
 * @param emissions grams of CO2 equivalent of that energy
 */
public record Cost(
        Measurement<Double> wallTime,
        Measurement<Double> cpuTime,
        Measurement<Long> peakResident,
        Measurement<Long> resident,
        Measurement<Double> energy,
        Measurement<Double> emissions) {

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
