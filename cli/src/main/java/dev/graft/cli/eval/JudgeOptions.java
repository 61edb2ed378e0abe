package dev.graft.cli.eval;

import dev.graft.run.suites.JudgeSettings;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that select the judge of MT-Bench. */
final class JudgeOptions {
    @Option(
            names = "--judge",
            paramLabel = "rule|FILE|URL",
            description = {
                "Judge of mt-bench. `rule` compares final numbers with the references, FILE holds what people said,"
                        + " URL is a",
                "model that speaks as OpenAI's API does (a key is taken from GRAFT_JUDGE_KEY)."
            })
    private @Nullable String judge;

    @Option(names = "--judge-model", paramLabel = "NAME", description = "Model behind the judge's URL (mt-bench).")
    private @Nullable String model;

    @Option(
            names = "--against",
            paramLabel = "ADAPTER|base",
            description = {
                "Compares answers in mt-bench: those of --adapter or those of this adapter or of the base alone;",
                "each pair is judged in both orders."
            })
    private @Nullable String against;

    @Option(
            names = "--answers",
            paramLabel = "FILE",
            description = "Keeps the model's answers of mt-bench here; if the file is there they are taken from it.")
    private @Nullable Path answers;

    JudgeSettings settings() {
        return new JudgeSettings(judge, model, against, answers);
    }
}
