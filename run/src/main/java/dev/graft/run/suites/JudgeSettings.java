package dev.graft.run.suites;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The judge of a chat benchmark and its task.
 *
 * @param judge {@code rule}, a file of judgements or the URL of a model; null for none
 * @param model the name of the model at the URL; else null
 * @param against the opponent of a comparison, {@code base} or an adapter; null to rate answers
 * @param answers the file to keep the answers in; null for none
 */
public record JudgeSettings(
        @Nullable String judge,
        @Nullable String model,
        @Nullable String against,
        @Nullable Path answers) {}
