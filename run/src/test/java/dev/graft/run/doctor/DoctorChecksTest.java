package dev.graft.run.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.run.doctor.DoctorFinding.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorChecksTest {
    @TempDir
    Path root;

    private HostSystem machine(Map<String, String> environment) {
        return new HostSystem(root, root, environment);
    }

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private static DoctorFinding named(List<DoctorFinding> findings, String name) {
        return findings.stream().filter(f -> f.name().equals(name)).findFirst().orElseThrow();
    }

    @Test
    void theProcessorIsReadFromProc() throws IOException {
        write(
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: AMD EPYC 9R14\nflags\t\t: fpu avx2 fma avx512f avx512_bf16 sse\n");

        List<DoctorFinding> findings = new ProcessorCheck().findings(machine(Map.of()));

        assertThat(named(findings, "model").value()).isEqualTo("AMD EPYC 9R14");
        assertThat(named(findings, "instructions"))
                .isEqualTo(DoctorFinding.ok("instructions", "avx2 fma avx512f avx512_bf16"));
        assertThat(named(findings, "bf16").value()).startsWith("yes");
    }

    @Test
    void anOldProcessorIsWarnedAbout() throws IOException {
        write("proc/cpuinfo", "flags\t\t: fpu avx\n");

        List<DoctorFinding> findings = new ProcessorCheck().findings(machine(Map.of()));

        assertThat(named(findings, "instructions").state()).isEqualTo(State.WARNING);
        assertThat(named(findings, "bf16").value()).isEqualTo("no: dtype auto is fp32");
        assertThat(named(findings, "model").value()).isEqualTo("unknown");
    }

    @Test
    void memoryIsThatOfMachineAndContainer() throws IOException {
        write("proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:    1048576 kB\n");
        write("sys/fs/cgroup/memory.max", "8589934592\n");

        assertThat(new MemoryCheck().findings(machine(Map.of())))
                .containsExactly(
                        DoctorFinding.ok("total", "15.6 GiB"),
                        DoctorFinding.warning("available", "1.0 GiB", "end other programs, or take a small batch_size"),
                        DoctorFinding.ok("container", "at most 8.0 GiB"));
    }

    @Test
    void aContainerWithoutLimitIsNotMentioned() throws IOException {
        write("sys/fs/cgroup/memory.max", "max\n");

        assertThat(new MemoryCheck().findings(machine(Map.of())))
                .singleElement()
                .satisfies(total -> assertThat(total.state()).isEqualTo(State.WARNING));
    }

    @Test
    void cachesAreWhereTheirVariablesSay() throws IOException {
        write("models/hub/blobs/a", "12345");
        Files.createSymbolicLink(root.resolve("models/hub/link"), root.resolve("models/hub/blobs/a"));

        List<DoctorFinding> findings = new CacheCheck()
                .findings(machine(Map.of("HF_HOME", root.resolve("models").toString())));

        assertThat(named(findings, "models (hf)").value()).isEqualTo("5 B  " + root.resolve("models/hub"));
        assertThat(named(findings, "Maven").value()).isEqualTo("not there yet  " + root.resolve(".m2/repository"));
        assertThat(CacheCheck.folders(machine(Map.of("XDG_CACHE_HOME", "/c"))))
                .containsEntry("models (hf)", Path.of("/c/huggingface/hub"));
        assertThat(CacheCheck.folders(machine(Map.of("HF_HOME", "/h", "HF_HUB_CACHE", "/x"))))
                .containsEntry("models (hf)", Path.of("/x"));
    }

    @Test
    void programsAreRunToSeeTheirVersions() throws IOException {
        write("bin/mvn", "#!/bin/sh\necho; printf '\\033[1mApache Maven 9\\033[m\\nmore\\n'\n");
        write("bin/pip3", "#!/bin/sh\nexit 3\n");
        root.resolve("bin/mvn").toFile().setExecutable(true);
        root.resolve("bin/pip3").toFile().setExecutable(true);

        List<DoctorFinding> findings = new ProgramCheck(Duration.ofSeconds(20))
                .findings(machine(Map.of("PATH", root.resolve("bin").toString())));

        assertThat(named(findings, "Maven")).isEqualTo(DoctorFinding.ok("Maven", "Apache Maven 9"));
        assertThat(named(findings, "pip").value()).isEqualTo(root.resolve("bin/pip3") + " does not run");
        assertThat(new ProgramCheck(Duration.ofSeconds(20)).findings(machine(Map.of())))
                .allSatisfy(finding -> assertThat(finding.value()).isEqualTo("not found"));
    }

    @Test
    void aProgramThatHangsIsNotWaitedFor() throws IOException {
        write("bin/mvn", "#!/bin/sh\nexec sleep 60\n");
        root.resolve("bin/mvn").toFile().setExecutable(true);
        long start = System.nanoTime();

        List<DoctorFinding> findings = new ProgramCheck(Duration.ofMillis(200))
                .findings(machine(Map.of("PATH", root.resolve("bin").toString())));

        assertThat(named(findings, "Maven").value()).isEqualTo(root.resolve("bin/mvn") + " does not run");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(30));
    }

    @Test
    void variablesAreShownWithoutSecrets() {
        List<DoctorFinding> findings = new VariableCheck()
                .findings(machine(Map.of(
                        "HF_TOKEN", "hf_secret",
                        "HTTPS_PROXY", "http://user:pass@proxy:3128",
                        "OMP_WAIT_POLICY", "PASSIVE",
                        "OPENBLAS_CORETYPE", "Haswell",
                        "OPENBLAS_NUM_THREADS", "1",
                        "HF_HOME", " ")));

        assertThat(findings.toString()).doesNotContain("secret", "pass@");
        assertThat(named(findings, "HF_TOKEN").value()).isEqualTo("set");
        assertThat(named(findings, "HTTPS_PROXY").value()).isEqualTo("http://…@proxy:3128");
        assertThat(findings.stream().filter(f -> f.state() == State.WARNING).map(DoctorFinding::name))
                .containsExactly("OMP_WAIT_POLICY", "OPENBLAS_CORETYPE");
        assertThat(findings).extracting(DoctorFinding::name).doesNotContain("HF_HOME", "OPENBLAS_NUM_THREADS");
    }

    @Test
    void anotherSystemIsWarnedAbout() {
        assertThat(JavaCheck.system("Mac OS X", "14", "aarch64").state()).isEqualTo(State.WARNING);
        assertThat(JavaCheck.system("Linux", "6", "amd64").state()).isEqualTo(State.OK);
        assertThat(JavaCheck.system("Linux", "6", "aarch64").state()).isEqualTo(State.WARNING);
    }
}
