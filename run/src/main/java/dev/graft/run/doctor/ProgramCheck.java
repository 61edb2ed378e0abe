package dev.graft.run.doctor;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The programs that fetch models and data. */
final class ProgramCheck implements DoctorCheck {
    private final Duration patience;

    /** @param patience how long a program may take to say its version */
    ProgramCheck(Duration patience) {
        this.patience = patience;
    }

    @Override
    public String title() {
        return "Programs";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        return List.of(
                finding(
                        host,
                        "Maven",
                        List.of("mvn", "-v"),
                        "it builds Graft and fetches maven: models; install Maven 3.9"),
                finding(
                        host,
                        "pip",
                        List.of("pip3", "--version"),
                        "it fetches pypi: models; install pip if you want those"));
    }

    private DoctorFinding finding(HostSystem host, String name, List<String> command, String advice) {
        Optional<Path> program = host.program(command.get(0));
        if (program.isEmpty()) {
            return DoctorFinding.warning(name, "not found", advice);
        }
        String version = firstLine(program.get(), command.get(1));
        return version.isEmpty()
                ? DoctorFinding.warning(name, program.get() + " does not run", advice)
                : DoctorFinding.ok(name, version);
    }

    private String firstLine(Path program, String argument) {
        Process process = null;
        try {
            process = new ProcessBuilder(program.toString(), argument)
                    .redirectErrorStream(true)
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .start();
            // Its few lines fit into the pipe.
            if (!process.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS) || process.exitValue() != 0) {
                return "";
            }
            String output = new String(process.getInputStream().readAllBytes(), Charset.defaultCharset());
            return output.replaceAll("\033\\[[0-9;]*m", "")
                    .strip()
                    .lines()
                    .findFirst()
                    .orElse("");
        } catch (IOException e) {
            return "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "";
        } finally {
            if (process != null) {
                process.destroyForcibly();
            }
        }
    }
}
