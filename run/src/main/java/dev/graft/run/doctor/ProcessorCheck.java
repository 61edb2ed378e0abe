package dev.graft.run.doctor;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** The processor and those of its instructions that decide how fast tensors are. */
final class ProcessorCheck implements DoctorCheck {
    private static final List<String> WANTED = List.of(
            "avx2",
            "fma",
            "f16c",
            "avx512f",
            "avx512bw",
            "avx512_vnni",
            "avx512_bf16",
            "avx512_fp16",
            "amx_tile",
            "amx_bf16",
            "amx_int8");

    @Override
    public String title() {
        return "Processor";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        String cpuinfo = host.text("proc/cpuinfo").orElse("");
        int cores = Runtime.getRuntime().availableProcessors();
        Set<String> flags = new LinkedHashSet<>(
                Arrays.asList(field(cpuinfo, "flags").orElse("").split(" ")));
        List<String> has = WANTED.stream().filter(flags::contains).toList();
        return List.of(
                DoctorFinding.ok("model", field(cpuinfo, "model name").orElse("unknown")),
                DoctorFinding.ok("cores", Integer.toString(cores)),
                has.contains("avx2")
                        ? DoctorFinding.ok("instructions", String.join(" ", has))
                        : DoctorFinding.warning("instructions", "no avx2", "tensors will be slow"),
                has.contains("avx512_bf16") || has.contains("amx_bf16")
                        ? DoctorFinding.ok("bf16", "yes: dtype auto keeps the frozen base in bf16")
                        : DoctorFinding.ok("bf16", "no: dtype auto is fp32"));
    }

    private static Optional<String> field(String cpuinfo, String name) {
        return Pattern.compile("^" + name + "\\s*: (.*)$", Pattern.MULTILINE)
                .matcher(cpuinfo)
                .results()
                .map((MatchResult match) -> match.group(1).strip())
                .findFirst();
    }
}
