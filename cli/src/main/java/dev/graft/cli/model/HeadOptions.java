package dev.graft.cli.model;

import dev.graft.run.model.HeadSettings;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options {@code --task} and {@code --labels}: the head of the base. */
public final class HeadOptions implements HeadSettings {

    @Option(
            names = "--task",
            paramLabel = "TASK",
            description = {
                "The head: feature_extraction, seq_cls, token_cls, multiple_choice, question_ans, masked_lm, causal_lm"
                        + " or",
                "seq_2_seq_lm, or the name of a task of `graft train`, such as embed (default: that of the adapter,"
                        + " else of config.json)."
            })
    private @Nullable String task;

    @Option(
            names = "--labels",
            split = ",",
            paramLabel = "LABEL",
            description = "Names of a classifier's outputs (default: those of the adapter, else of config.json).")
    private List<String> labels = List.of();

    @Override
    public @Nullable String task() {
        return task;
    }

    @Override
    public List<String> labels() {
        return List.copyOf(labels);
    }
}
