package dev.graft.cli.generate;

import java.util.List;
import picocli.CommandLine.Option;

/** How the next token is chosen and when to stop. Without sampling options the likeliest token is taken. */
public final class SamplingOptions {

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "The longest text, in tokens (default: ${DEFAULT-VALUE}).")
    int maxNewTokens = 256;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "Sample at this temperature; 0 takes the likeliest token (default: ${DEFAULT-VALUE}).")
    double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            description = "Sample from the K likeliest tokens; 0 for all (default: ${DEFAULT-VALUE}).")
    int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Sample from the likeliest tokens that make up this probability (default: ${DEFAULT-VALUE}).")
    double topP = 1;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description =
                    "Drop tokens with less than this part of the likeliest one's probability (default: ${DEFAULT-VALUE}).")
    double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            description = "Make tokens that occurred before less likely, above 1 (default: ${DEFAULT-VALUE}).")
    double repetitionPenalty = 1;

    @Option(names = "--seed", paramLabel = "N", description = "Decides all draws (default: ${DEFAULT-VALUE}).")
    long seed = 42;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "End where the model writes this, and leave it out; may be given several times.")
    List<String> stop = List.of();
}
