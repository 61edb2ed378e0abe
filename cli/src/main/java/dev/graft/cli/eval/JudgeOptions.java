package dev.graft.cli.eval;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Who judges the conversations of MT-Bench. */
final class JudgeOptions {
    @Option(
            names = "--judge",
            paramLabel = "rule|FILE|URL",
            description = {
                "Of mt-bench: who judges. `rule` compares final numbers with the references, FILE holds what people said, URL is a",
                "model that speaks as OpenAI's API does (a key is taken from GRAFT_JUDGE_KEY)."
            })
    private @Nullable String judge;

    @Option(names = "--judge-model", paramLabel = "NAME", description = "Of mt-bench: the model behind the URL.")
    private @Nullable String model;

    @Option(
            names = "--against",
            paramLabel = "ADAPTER|base",
            description = {
                "Of mt-bench: which answers are better, those of --adapter or those of this adapter or of the base alone;",
                "each pair is judged in both orders."
            })
    private @Nullable String against;

    @Option(
            names = "--answers",
            paramLabel = "FILE",
            description = "Of mt-bench: keeps the model's answers here; if the file is there they are taken from it.")
    private @Nullable Path answers;

    @Nullable
    String judge() {
        return judge;
    }

    @Nullable
    String model() {
        return model;
    }

    @Nullable
    String against() {
        return against;
    }

    @Nullable
    Path answers() {
        return answers;
    }
}
