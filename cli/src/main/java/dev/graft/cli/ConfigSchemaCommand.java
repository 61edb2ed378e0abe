package dev.graft.cli;

import dev.graft.run.config.ConfigSchema;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "config-schema",
        description = "Print the JSON Schema (draft 2020-12) of a recipe.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "An editor completes and checks recipes that begin with",
            "  # yaml-language-server: $schema=graft.schema.json",
            "after `graft config-schema > graft.schema.json`."
        })
final class ConfigSchemaCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().getOut().println(ConfigSchema.json());
    }
}
