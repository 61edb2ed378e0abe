package dev.graft.eval.cost;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The machine and the JVM that a number was measured on.
 *
 * @param processor the processor's model
 * @param cores logical processors that this JVM may use, which a container can limit
 * @param features the instruction sets among {@link #FEATURES} that the processor has; they decide the speed of fp32, fp16 and bf16
 * @param memory the memory of the machine, in bytes
 */
public record Machine(
        Measurement<String> processor,
        Measurement<Integer> cores,
        Measurement<List<String>> features,
        Measurement<Long> memory,
        Measurement<String> operatingSystem,
        Measurement<String> jvm) {

    /** The instruction sets that matter, named as in {@code /proc/cpuinfo}. */
    public static final List<String> FEATURES = List.of("avx2", "f16c", "avx512f", "avx512_bf16", "amx_bf16");

    public static Machine read() {
        return read(Path.of("/proc/cpuinfo"), Path.of("/proc/meminfo"));
    }

    static Machine read(Path cpuinfo, Path meminfo) {
        ProcFile cpu = new ProcFile(cpuinfo);
        return new Machine(
                cpu.value("model name")
                        .map(name -> new Measurement<>(name, "", "model name of " + cpuinfo))
                        .orElse(Measurement.unavailable("", "no model name in " + cpuinfo)),
                new Measurement<>(
                        Runtime.getRuntime().availableProcessors(), "logical processors", "available to the JVM"),
                cpu.value("flags")
                        .map(flags -> new Measurement<>(known(flags), "", "flags of " + cpuinfo))
                        .orElse(Measurement.unavailable("", "no flags in " + cpuinfo)),
                new ProcFile(meminfo).bytes("MemTotal"),
                property("os.name", "os.version", "os.arch"),
                property("java.vm.name", "java.vm.version", "java.vendor"));
    }

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.set("processor", processor.toJson());
        json.set("cores", cores.toJson());
        json.set("features", features.toJson());
        json.set("memory", memory.toJson());
        json.set("operating_system", operatingSystem.toJson());
        json.set("jvm", jvm.toJson());
        return json;
    }

    private static List<String> known(String flags) {
        Set<String> present = new HashSet<>(List.of(flags.split("\\s+")));
        return FEATURES.stream().filter(present::contains).toList();
    }

    private static Measurement<String> property(String... names) {
        String text = String.join(
                " ",
                Arrays.stream(names).map(name -> System.getProperty(name, "")).toList());
        return new Measurement<>(text.strip(), "", "system properties " + String.join(", ", names));
    }
}
