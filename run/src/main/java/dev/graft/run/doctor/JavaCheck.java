package dev.graft.run.doctor;

import dev.graft.run.progress.UnitFormat;
import java.util.List;

/** The virtual machine that runs Graft. */
final class JavaCheck implements DoctorCheck {

    @Override
    public String title() {
        return "Java";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        return List.of(
                DoctorFinding.ok(
                        "JDK",
                        Runtime.version() + ", " + System.getProperty("java.vendor") + ", "
                                + System.getProperty("java.home")),
                DoctorFinding.ok(
                        "heap",
                        "at most " + UnitFormat.bytes(Runtime.getRuntime().maxMemory())
                                + " (tensors are outside of it)"),
                DoctorFinding.ok("encoding", System.getProperty("file.encoding")),
                system(System.getProperty("os.name"), System.getProperty("os.version"), System.getProperty("os.arch")));
    }

    static DoctorFinding system(String name, String version, String architecture) {
        String value = name + " " + version + ", " + architecture;
        return name.equals("Linux") && List.of("amd64", "x86_64").contains(architecture)
                ? DoctorFinding.ok("system", value)
                : DoctorFinding.warning(
                        "system",
                        value,
                        "the build takes libtorch for linux-x86_64; give natives.classifier for this system");
    }
}
