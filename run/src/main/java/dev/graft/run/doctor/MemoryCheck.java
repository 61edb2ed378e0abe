package dev.graft.run.doctor;

import dev.graft.run.progress.UnitFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Memory of the machine and of the container around the process. */
final class MemoryCheck implements DoctorCheck {
    private static final long LITTLE = 2L << 30;

    @Override
    public String title() {
        return "Memory";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        String meminfo = host.text("proc/meminfo").orElse("");
        List<DoctorFinding> findings = new ArrayList<>();
        OptionalLong total = kibibytes(meminfo, "MemTotal");
        OptionalLong available = kibibytes(meminfo, "MemAvailable");
        findings.add(
                total.isPresent()
                        ? DoctorFinding.ok("total", UnitFormat.bytes(total.getAsLong()))
                        : DoctorFinding.warning("total", "unknown", "this system has no /proc/meminfo"));
        available.ifPresent(bytes -> findings.add(
                bytes >= LITTLE
                        ? DoctorFinding.ok("available", UnitFormat.bytes(bytes))
                        : DoctorFinding.warning(
                                "available",
                                UnitFormat.bytes(bytes),
                                "end other programs, or take a small batch_size")));
        host.text("sys/fs/cgroup/memory.max")
                .map(String::strip)
                .filter(limit -> limit.matches("\\d{1,18}"))
                .ifPresent(limit -> findings.add(
                        DoctorFinding.ok("container", "at most " + UnitFormat.bytes(Long.parseLong(limit)))));
        return findings;
    }

    private static OptionalLong kibibytes(String meminfo, String name) {
        Matcher matcher = Pattern.compile("^" + name + ":\\s*(\\d{1,15}) kB", Pattern.MULTILINE)
                .matcher(meminfo);
        return matcher.find() ? OptionalLong.of(Long.parseLong(matcher.group(1)) << 10) : OptionalLong.empty();
    }
}
