package dev.graft.eval.cost;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The energy of the processor packages and their memory since the counter was opened, for the whole machine: RAPL counters
 * of Linux (Documentation/power/powercap/powercap.rst), which every process on the machine adds to.
 */
final class EnergyCounter {

    static final Path POWERCAP = Path.of("/sys/class/powercap");

    private final List<Zone> zones;
    private final String source;

    /** The reason why there are no counters, or empty. */
    private final String missing;

    private EnergyCounter(List<Zone> zones, String source, String missing) {
        this.zones = zones;
        this.source = source;
        this.missing = missing;
    }

    static EnergyCounter open(Path powercap) {
        List<Zone> zones = new ArrayList<>();
        if (!Files.isDirectory(powercap)) {
            return none("there is no " + powercap + ": this machine shows no RAPL counters");
        }
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(powercap, "intel-rapl:*")) {
            for (Path folder : folders) {
                String name = Files.readString(folder.resolve("name")).strip();
                // core and uncore are parts of the package, psys contains it
                if (name.startsWith("package") || name.equals("dram")) {
                    zones.add(new Zone(folder, name));
                }
            }
        } catch (IOException | NumberFormatException e) {
            return none("RAPL counters under " + powercap + " cannot be read: " + e);
        }
        if (zones.isEmpty()) {
            return none("no RAPL counters under " + powercap);
        }
        zones.sort(Comparator.comparing(zone -> zone.folder.toString()));
        String source = zones.stream()
                .map(zone -> zone.folder.getFileName() + " " + zone.name)
                .collect(Collectors.joining(", ", "RAPL, whole machine: ", ""));
        return new EnergyCounter(zones, source, "");
    }

    boolean available() {
        return missing.isEmpty();
    }

    /**
     * Counters wrap around, after a few minutes under the heaviest load: this must be called at least that often.
     */
    synchronized Measurement<Double> joules() {
        if (!available()) {
            return Measurement.unavailable("joules", missing);
        }
        long microjoules = 0;
        try {
            for (Zone zone : zones) {
                microjoules += zone.advance();
            }
        } catch (IOException | NumberFormatException e) {
            return Measurement.unavailable("joules", "a RAPL counter could not be read any more: " + e);
        }
        return new Measurement<>(microjoules / 1e6, "joules", source);
    }

    private static EnergyCounter none(String reason) {
        return new EnergyCounter(List.of(), "", reason);
    }

    private static final class Zone {
        private final Path folder;
        private final String name;
        private final long range;
        private long last;
        private long sum;

        Zone(Path folder, String name) throws IOException {
            this.folder = folder;
            this.name = name;
            range = read("max_energy_range_uj");
            last = read("energy_uj");
        }

        long advance() throws IOException {
            long now = read("energy_uj");
            sum += now >= last ? now - last : range - last + now;
            last = now;
            return sum;
        }

        private long read(String file) throws IOException {
            return Long.parseLong(Files.readString(folder.resolve(file)).strip());
        }
    }
}
