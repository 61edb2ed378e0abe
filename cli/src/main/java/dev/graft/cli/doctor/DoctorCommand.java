package dev.graft.cli.doctor;

import dev.graft.run.doctor.DoctorChecks;
import dev.graft.run.doctor.DoctorFinding;
import dev.graft.run.doctor.DoctorFinding.State;
import dev.graft.run.doctor.HostSystem;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "doctor",
        description = "Check what Graft depends on here: Java, processor, memory, caches, programs, variables.",
        mixinStandardHelpOptions = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:nothing is wrong, or speed and comfort alone suffer", "1:something does not work"})
public final class DoctorCommand implements Callable<Integer> {

    @Option(names = "--json", description = "Print the findings as JSON.")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        HostSystem host = HostSystem.current();
        Map<String, List<DoctorFinding>> findings = new LinkedHashMap<>();
        DoctorChecks.all().forEach(check -> findings.put(check.title(), check.findings(host)));
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(DoctorReport.json(findings));
        } else {
            out.print(DoctorReport.text(findings));
        }
        return findings.values().stream().flatMap(List::stream).anyMatch(f -> f.state() == State.PROBLEM) ? 1 : 0;
    }
}
