package dev.graft.eval.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class CostTest {

    @TempDir
    Path folder;

    @Test
    void kernelKilobytesBecomeBytes() throws IOException {
        Path status = Files.writeString(
                folder.resolve("status"), "Name:\tVmHWM: 7 kB\nVmPeak:\t  99 kB\nVmHWM:\t   2048 kB\nVmHWMx:\t 1 kB\n");
        assertThat(new ProcFile(status).bytes("VmHWM"))
                .isEqualTo(new Measurement<>(2048L * 1024, "bytes", "VmHWM of " + status));
    }

    @Test
    void whatCannotBeReadIsUnavailableWithAReason() throws IOException {
        Path status = Files.writeString(folder.resolve("status"), "VmHWM:\tlots kB\n");
        assertThat(new ProcFile(status).bytes("VmHWM").source())
                .isEqualTo("unavailable: VmHWM in " + status + " is \"lots kB\", expected kB");
        assertThat(new ProcFile(status).bytes("VmRSS").source()).isEqualTo("unavailable: no VmRSS in " + status);
        Measurement<Long> none = new ProcFile(folder.resolve("absent")).bytes("VmRSS");
        assertThat(none.available()).isFalse();
        assertThat(Json.compact(none.toJson())).startsWith("{\"value\":null,\"unit\":\"bytes\"");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void residentMemoryHoldsTheUsedHeapAndThePeakHoldsBoth() {
        byte[] ballast = new byte[32 << 20];
        java.util.Arrays.fill(ballast, (byte) 1);
        long resident = ProcessMemory.resident().value();
        assertThat(resident).isGreaterThan(ballast.length);
        assertThat(ProcessMemory.peakResident().value()).isGreaterThanOrEqualTo(resident);
    }

    @Test
    void processorTimeIsThatOfWorkAndWallTimeThatOfWaiting() throws InterruptedException {
        try (CostMeter meter = CostMeter.start()) {
            var threads = ManagementFactory.getThreadMXBean();
            long until = threads.getCurrentThreadCpuTime() + 60_000_000;
            while (threads.getCurrentThreadCpuTime() < until) {
                Thread.onSpinWait();
            }
            Cost busy = meter.read();
            assertThat(busy.cpuTime().value()).isGreaterThanOrEqualTo(0.05);
            Thread.sleep(50);
            assertThat(meter.read().wallTime().value())
                    .isGreaterThanOrEqualTo(busy.wallTime().value() + 0.05);
        }
    }

    @Test
    void energySumsPackagesAndMemoryAcrossAWrap() throws IOException {
        zone("intel-rapl:0", "package-0", 1_000_000, 900_000);
        zone("intel-rapl:0:0", "core", 1_000_000, 0);
        zone("intel-rapl:0:1", "dram", 1_000_000, 100);
        zone("intel-rapl:1", "psys", 1_000_000, 0);
        EnergyCounter counter = EnergyCounter.open(folder);
        assertThat(counter.joules().value()).isZero();
        Files.writeString(folder.resolve("intel-rapl:0/energy_uj"), "400000\n");
        Files.writeString(folder.resolve("intel-rapl:0:0/energy_uj"), "777777\n");
        Files.writeString(folder.resolve("intel-rapl:0:1/energy_uj"), "250100\n");
        Measurement<Double> energy = counter.joules();
        assertThat(energy.value()).isEqualTo(0.75);
        assertThat(energy.source()).isEqualTo("RAPL, whole machine: intel-rapl:0 package-0, intel-rapl:0:1 dram");
        Files.writeString(folder.resolve("intel-rapl:0/energy_uj"), "500000\n");
        assertThat(counter.joules().value()).isEqualTo(0.85);
    }

    @Test
    void withoutReadableCountersEnergyIsUnavailable() throws IOException {
        assertThat(EnergyCounter.open(folder).joules().source())
                .isEqualTo("unavailable: no RAPL counters under " + folder);
        assertThat(EnergyCounter.open(folder.resolve("absent")).joules().source())
                .startsWith("unavailable: there is no " + folder.resolve("absent"));
        zone("intel-rapl:0", "package-0", 1, 0);
        EnergyCounter counter = EnergyCounter.open(folder);
        Files.delete(folder.resolve("intel-rapl:0/energy_uj"));
        assertThat(counter.joules().available()).isFalse();
        assertThat(EnergyCounter.open(folder).available()).isFalse();
        try (CostMeter meter = CostMeter.start(counter)) {
            assertThat(meter.read().energy().source()).startsWith("estimated: processor time");
        }
    }

    @Test
    void energyThatNothingCountsIsEstimatedFromProcessorTimeAndSaysSo() {
        EnergyAssumptions assumptions = EnergyAssumptions.of(Map.of("GRAFT_WATTS_PER_CORE", "7.5"));
        Measurement<Double> energy =
                assumptions.joules(new Measurement<>(40.0, "seconds", "clock"), "unavailable: no counters");
        assertThat(energy.value()).isEqualTo(300);
        assertThat(energy.source())
                .isEqualTo("estimated: processor time of this process at 7.5 watts a core, since it is unavailable: no"
                        + " counters");
        assertThat(assumptions
                        .joules(Measurement.unavailable("seconds", "no clock"), "unavailable: none")
                        .available())
                .isFalse();
    }

    @Test
    void emissionsAreEnergyTimesOverheadAndIntensity() {
        Measurement<Double> kilowattHour = new Measurement<>(3.6e6, "joules", "RAPL");
        Measurement<Double> grams = EnergyAssumptions.of(Map.of()).emissions(kilowattHour);
        assertThat(grams.value()).isCloseTo(1.58 * 475, within(1e-9));
        assertThat(grams.source()).isEqualTo("energy (RAPL) times 1.58 for the building at 475 g/kWh");
        assertThat(EnergyAssumptions.of(Map.of("GRAFT_PUE", "1", "GRAFT_CARBON_INTENSITY", "50"))
                        .emissions(kilowattHour)
                        .value())
                .isEqualTo(50);
        assertThatThrownBy(() -> EnergyAssumptions.of(Map.of("GRAFT_PUE", "low")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("GRAFT_PUE is \"low\"");
    }

    @Test
    void machineFactsComeFromTheKernel() throws IOException {
        Path cpuinfo = Files.writeString(
                folder.resolve("cpuinfo"),
                "processor\t: 0\nmodel name\t: Example: 9000\nflags\t\t: fpu avx2 amx_bf16 avx512_bf16x f16c\n");
        Path meminfo = Files.writeString(folder.resolve("meminfo"), "MemTotal:       16 kB\n");
        Machine machine = Machine.read(cpuinfo, meminfo);
        assertThat(machine.processor().value()).isEqualTo("Example: 9000");
        assertThat(machine.features().value()).isEqualTo(List.of("avx2", "f16c", "amx_bf16"));
        assertThat(machine.memory().value()).isEqualTo(16384);
        assertThat(Json.compact(machine.features().toJson()))
                .isEqualTo("{\"value\":[\"avx2\",\"f16c\",\"amx_bf16\"],\"unit\":\"\",\"source\":\"flags of " + cpuinfo
                        + "\"}");
    }

    @Test
    void aMachineWithoutProcFilesStillHasAJvm() {
        Machine machine = Machine.read(folder.resolve("a"), folder.resolve("b"));
        assertThat(machine.processor().available()).isFalse();
        assertThat(machine.cores().value()).isPositive();
        assertThat(machine.jvm().value()).contains(System.getProperty("java.vm.version"));
    }

    private void zone(String id, String name, long range, long microjoules) throws IOException {
        Path zone = Files.createDirectory(folder.resolve(id));
        Files.writeString(zone.resolve("name"), name + "\n");
        Files.writeString(zone.resolve("max_energy_range_uj"), range + "\n");
        Files.writeString(zone.resolve("energy_uj"), microjoules + "\n");
    }
}
