package dev.graft.cli.doctor;

import dev.graft.cli.terminal.Figures;
import java.util.List;

/** The virtual machine that runs Graft. */
final class JavaCheck implements Check {

    @Override
    public String title() {
        return "Java";
    }

    @Override
    public List<Finding> findings(Machine machine) {
        return List.of(
                Finding.ok(
                        "JDK",
                        Runtime.version() + ", " + System.getProperty("java.vendor") + ", "
                                + System.getProperty("java.home")),
                Finding.ok(
                        "heap",
                        "at most " + Figures.bytes(Runtime.getRuntime().maxMemory()) + " (tensors are outside of it)"),
                Finding.ok("encoding", System.getProperty("file.encoding")),
                system(System.getProperty("os.name"), System.getProperty("os.version"), System.getProperty("os.arch")));
    }

    static Finding system(String name, String version, String architecture) {
        String value = name + " " + version + ", " + architecture;
        return name.equals("Linux") && List.of("amd64", "x86_64").contains(architecture)
                ? Finding.ok("system", value)
                : Finding.warning(
                        "system",
                        value,
                        "the build takes libtorch for linux-x86_64; give natives.classifier for this system");
    }
}
