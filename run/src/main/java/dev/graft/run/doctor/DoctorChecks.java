package dev.graft.run.doctor;

import java.time.Duration;
import java.util.List;

/** All checks of this machine. */
public final class DoctorChecks {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private DoctorChecks() {}

    public static List<DoctorCheck> all() {
        return List.of(
                new JavaCheck(),
                new ProcessorCheck(),
                new LibtorchCheck(),
                new MemoryCheck(),
                new CacheCheck(),
                new ProgramCheck(PATIENCE),
                new VariableCheck());
    }
}
