package dev.graft.cli.doctor;

import dev.graft.cli.terminal.Figures;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Memory of the machine and of the container around the process. */
final class MemoryCheck implements Check {
    private static final long LITTLE = 2L << 30;

    @Override
    public String title() {
        return "Memory";
    }

    @Override
    public List<Finding> findings(Machine machine) {
        String meminfo = machine.text("proc/meminfo").orElse("");
        List<Finding> findings = new ArrayList<>();
        OptionalLong total = kibibytes(meminfo, "MemTotal");
        OptionalLong available = kibibytes(meminfo, "MemAvailable");
        findings.add(
                total.isPresent()
                        ? Finding.ok("total", Figures.bytes(total.getAsLong()))
                        : Finding.warning("total", "unknown", "this system has no /proc/meminfo"));
        available.ifPresent(bytes -> findings.add(
                bytes >= LITTLE
                        ? Finding.ok("available", Figures.bytes(bytes))
                        : Finding.warning(
                                "available", Figures.bytes(bytes), "end other programs, or take a small batch_size")));
        machine.text("sys/fs/cgroup/memory.max")
                .map(String::strip)
                .filter(limit -> limit.matches("\\d{1,18}"))
                .ifPresent(limit ->
                        findings.add(Finding.ok("container", "at most " + Figures.bytes(Long.parseLong(limit)))));
        return findings;
    }

    private static OptionalLong kibibytes(String meminfo, String name) {
        Matcher matcher = Pattern.compile("^" + name + ":\\s*(\\d{1,15}) kB", Pattern.MULTILINE)
                .matcher(meminfo);
        return matcher.find() ? OptionalLong.of(Long.parseLong(matcher.group(1)) << 10) : OptionalLong.empty();
    }
}
