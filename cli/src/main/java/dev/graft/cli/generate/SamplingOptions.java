package dev.graft.cli.generate;

import dev.graft.models.generate.BeamOptions;
import dev.graft.models.generate.GenerateOptions;
import java.util.List;
import picocli.CommandLine.Option;

/** The options of sampling and stopping. Without sampling options decoding is greedy. */
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
            description = "Drop tokens with less than this part of the likeliest one's probability (default:"
                    + " ${DEFAULT-VALUE}).")
    double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            description = "Make tokens that occurred before less likely, above 1 (default: ${DEFAULT-VALUE}).")
    double repetitionPenalty = 1;

    @Option(
            names = "--no-repeat-ngram-size",
            paramLabel = "N",
            description = "Let no run of N tokens come twice; 0 allows all (default: ${DEFAULT-VALUE}).")
    int noRepeatNgramSize;

    @Option(
            names = "--num-beams",
            paramLabel = "N",
            description = "Beam search: keep the N likeliest texts at every step (default: ${DEFAULT-VALUE}).")
    int beams = 1;

    @Option(
            names = "--length-penalty",
            paramLabel = "X",
            description = {
                "Compares beams by their log-probability over their length to this power: more than 0",
                "favours long ones (default: ${DEFAULT-VALUE})."
            })
    double lengthPenalty = 1;

    @Option(
            names = "--early-stopping",
            paramLabel = "no|yes|never",
            description = {
                "Ends a beam search as soon as N texts have ended (yes), when no better one is likely (no), or when"
                        + " none is",
                "possible (never) (default: ${DEFAULT-VALUE})."
            })
    String earlyStopping = "no";

    @Option(names = "--seed", paramLabel = "N", description = "Decides all draws (default: ${DEFAULT-VALUE}).")
    long seed = 42;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "End where the model writes this, and leave it out; may be given several times.")
    List<String> stop = List.of();

    GenerateOptions options() {
        return GenerateOptions.DEFAULT
                .withMaxNewTokens(maxNewTokens)
                .withRepetitionPenalty(repetitionPenalty)
                .withTemperature(temperature)
                .withTopP(topP)
                .withTopK(topK)
                .withMinP(minP)
                .withSeed(seed)
                .withStop(stop.toArray(String[]::new))
                .withNoRepeatNgramSize(noRepeatNgramSize)
                .withBeams(new BeamOptions(beams, lengthPenalty, BeamOptions.EarlyStopping.of(earlyStopping)));
    }
}
