package dev.graft.cli.doctor;

import java.util.ArrayList;
import java.util.List;

/** Environment variables that change what Graft does or how fast it is. Secrets are not shown. */
final class VariableCheck implements Check {
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
    public List<Finding> findings(Machine machine) {
        List<Finding> findings = new ArrayList<>();
        for (String name : SHOWN) {
            machine.variable(name).ifPresent(value -> findings.add(shown(name, value)));
        }
        findings.add(Finding.ok(
                "HF_TOKEN", machine.variable("HF_TOKEN").isPresent() ? "set" : "not set: public models only"));
        machine.variable("OPENBLAS_CORETYPE")
                .ifPresent(value -> findings.add(Finding.warning(
                        "OPENBLAS_CORETYPE", value, "an older core type halves the speed of fp32 products; unset it")));
        machine.variable("OPENBLAS_NUM_THREADS")
                .filter(value -> !value.equals("1"))
                .ifPresent(value -> findings.add(Finding.warning(
                        "OPENBLAS_NUM_THREADS",
                        value,
                        "threads of OpenBLAS inside those of libtorch collapse; unset it")));
        return findings;
    }

    private static Finding shown(String name, String value) {
        if (name.equals("OMP_WAIT_POLICY") && value.equalsIgnoreCase("passive")) {
            return Finding.warning(name, value, "slower where nothing else runs; unset it there");
        }
        // A proxy's address may carry a password.
        return Finding.ok(name, value.replaceAll("://[^/@]*@", "://…@"));
    }
}
