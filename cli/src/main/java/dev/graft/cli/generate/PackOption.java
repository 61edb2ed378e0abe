package dev.graft.cli.generate;

import dev.graft.models.Base;
import picocli.CommandLine.Option;

/** The option that spends memory to gain speed. */
final class PackOption {
    @Option(
            names = "--pack",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = {
                "Keep the codes of a quantised base as products read them:",
                "faster, takes up to their memory again (default: yes)."
            })
    private boolean pack;

    void apply(Base base) {
        if (pack) {
            base.packQuantized();
        }
    }
}
