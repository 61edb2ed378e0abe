package dev.graft.run.doctor;

import java.util.ArrayList;
import java.util.List;

/** Environment variables that change what Graft does or how fast it is. Secrets are not shown. */
final class VariableCheck implements DoctorCheck {
    private static final List<String> SHOWN = List.of(
            "HF_HOME",
            "HF_HUB_CACHE",
            "HF_HUB_OFFLINE",
            "HF_ENDPOINT",
            "HTTPS_PROXY",
            "https_proxy",
            "OMP_NUM_THREADS",
            "OMP_WAIT_POLICY",
            "GOMP_SPINCOUNT",
            "GLIBC_TUNABLES",
            "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
            "LRU_CACHE_CAPACITY",
            "JAVA_HOME",
            "JAVA_TOOL_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "MAVEN_OPTS",
            "NO_COLOR");

    @Override
    public String title() {
        return "Environment";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        List<DoctorFinding> findings = new ArrayList<>();
        for (String name : SHOWN) {
            host.variable(name).ifPresent(value -> findings.add(shown(name, value)));
        }
        findings.add(DoctorFinding.ok(
                "HF_TOKEN", host.variable("HF_TOKEN").isPresent() ? "set" : "not set: public models only"));
        host.variable("OPENBLAS_CORETYPE")
                .ifPresent(value -> findings.add(DoctorFinding.warning(
                        "OPENBLAS_CORETYPE", value, "an older core type halves the speed of fp32 products; unset it")));
        host.variable("OPENBLAS_NUM_THREADS")
                .filter(value -> !value.equals("1"))
                .ifPresent(value -> findings.add(DoctorFinding.warning(
                        "OPENBLAS_NUM_THREADS",
                        value,
                        "threads of OpenBLAS inside those of libtorch collapse; unset it")));
        return findings;
    }

    private static DoctorFinding shown(String name, String value) {
        if (name.equals("OMP_WAIT_POLICY") && value.equalsIgnoreCase("passive")) {
            return DoctorFinding.warning(name, value, "slower where nothing else runs; unset it there");
        }
        // A proxy's address may carry a password.
        return DoctorFinding.ok(name, value.replaceAll("://[^/@]*@", "://…@"));
    }
}
