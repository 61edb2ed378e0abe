package dev.graft.cli.model;

import java.util.List;
import picocli.CommandLine.Option;

/** The option {@code --adapter}, which may be given several times. */
public final class AdapterOption {

    @Option(
            names = {"-a", "--adapter"},
            paramLabel = "ADAPTER",
            description = {
                "A folder with adapter_config.json, or hf:OWNER/NAME. Given several times, each acts on what",
                "those before it give. One that knows several tasks acts for one of them as FOLDER#TASK."
            })
    private List<String> adapters = List.of();

    public List<String> adapters() {
        return List.copyOf(adapters);
    }
}
