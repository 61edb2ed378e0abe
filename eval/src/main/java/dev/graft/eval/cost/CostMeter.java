package dev.graft.eval.cost;

import java.lang.management.ManagementFactory;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Measures the time, memory and energy that this process uses from {@link #start} on.
 *
 * <pre>{@code
 * try (CostMeter meter = CostMeter.start()) {
 *     trainer.run();
 *     Cost cost = meter.read();
 * }
 * }</pre>
 */
public final class CostMeter implements AutoCloseable {

    private static final String CPU_SOURCE = "user and system time of all threads of the process";

    private final long startNanos = System.nanoTime();
    private final long startCpuNanos = cpuNanos();
    private final EnergyCounter energy;
    private final EnergyAssumptions assumptions = EnergyAssumptions.of(System.getenv());
    private final @Nullable ScheduledExecutorService sampler;

    private CostMeter(EnergyCounter energy) {
        this.energy = energy;
        sampler = energy.available() ? sampling(energy) : null;
    }

    public static CostMeter start() {
        return new CostMeter(EnergyCounter.open(EnergyCounter.POWERCAP));
    }

    static CostMeter start(EnergyCounter energy) {
        return new CostMeter(energy);
    }

    /** Returns the cost since the start; may be called repeatedly. */
    public Cost read() {
        double wall = (System.nanoTime() - startNanos) / 1e9;
        long cpu = cpuNanos();
        Measurement<Double> cpuTime = cpu < 0 || startCpuNanos < 0
                ? Measurement.unavailable("seconds", "this JVM does not state its processor time")
                : new Measurement<>((cpu - startCpuNanos) / 1e9, "seconds", CPU_SOURCE);
        Measurement<Double> counted = energy.joules();
        Measurement<Double> joules = counted.available() ? counted : assumptions.joules(cpuTime, counted.source());
        return new Cost(
                new Measurement<>(wall, "seconds", "monotonic clock"),
                cpuTime,
                ProcessMemory.peakResident(),
                ProcessMemory.resident(),
                joules,
                assumptions.emissions(joules));
    }

    @Override
    public void close() {
        if (sampler != null) {
            sampler.shutdownNow();
        }
    }

    private static long cpuNanos() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? system.getProcessCpuTime()
                : -1;
    }

    private static ScheduledExecutorService sampling(EnergyCounter energy) {
        ScheduledExecutorService sampler = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "energy counter");
            thread.setDaemon(true);
            return thread;
        });
        sampler.scheduleAtFixedRate(energy::joules, 30, 30, TimeUnit.SECONDS);
        return sampler;
    }
}
