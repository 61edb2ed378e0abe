package dev.graft.eval.cost;

import dev.graft.formats.InputException;
import java.util.Locale;
import java.util.Map;

/**
 * The assumptions of an estimate of energy and emissions. The source of every estimate names them.
 *
 * @param wattsPerCore power of one busy core; a server's is about 10, {@code GRAFT_WATTS_PER_CORE}
 * @param overhead energy of the building for each joule of the machine (PUE; 1.58 is the mean of data centres), {@code GRAFT_PUE}
 * @param gramsPerKilowattHour of CO2 equivalent; 475 is the mean of the world, {@code GRAFT_CARBON_INTENSITY}
 */
record EnergyAssumptions(double wattsPerCore, double overhead, double gramsPerKilowattHour) {
    private static final double JOULES_PER_KILOWATT_HOUR = 3.6e6;

    /** @throws InputException if a variable is no positive number */
    static EnergyAssumptions of(Map<String, String> variables) {
        return new EnergyAssumptions(
                positive(variables, "GRAFT_WATTS_PER_CORE", 10),
                positive(variables, "GRAFT_PUE", 1.58),
                positive(variables, "GRAFT_CARBON_INTENSITY", 475));
    }

    private static double positive(Map<String, String> variables, String name, double otherwise) {
        String text = variables.getOrDefault(name, "").strip();
        if (text.isEmpty()) {
            return otherwise;
        }
        if (!text.matches("\\d{1,9}(\\.\\d+)?") || Double.parseDouble(text) <= 0) {
            throw new InputException(name + " is \"" + text + "\", expected a positive number");
        }
        return Double.parseDouble(text);
    }

    /**
     * The energy of processor time, where nothing counts it.
     *
     * @param missing why nothing does
     */
    Measurement<Double> joules(Measurement<Double> cpuTime, String missing) {
        Double seconds = cpuTime.value();
        return seconds == null
                ? new Measurement<>(null, "joules", missing)
                : new Measurement<>(
                        seconds * wattsPerCore,
                        "joules",
                        String.format(
                                Locale.ROOT,
                                "estimated: processor time of this process at %s watts a core, since it is %s",
                                shown(wattsPerCore),
                                missing));
    }

    /** Returns the emissions of an amount of energy. They are an estimate even where the energy is counted. */
    Measurement<Double> emissions(Measurement<Double> energy) {
        Double joules = energy.value();
        return joules == null
                ? new Measurement<>(null, "grams of CO2e", energy.source())
                : new Measurement<>(
                        joules / JOULES_PER_KILOWATT_HOUR * overhead * gramsPerKilowattHour,
                        "grams of CO2e",
                        String.format(
                                Locale.ROOT,
                                "energy (%s) times %s for the building at %s g/kWh",
                                energy.source(),
                                shown(overhead),
                                shown(gramsPerKilowattHour)));
    }

    private static String shown(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }
}
