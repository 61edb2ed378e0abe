package dev.graft.train.checkpoints;

import java.nio.file.Path;

/**
 * A checkpoint whose files were complete and unchanged when it was opened.
 *
 * @param folder {@code checkpoint-<step>}
 */
public record Checkpoint(Path folder, TrainingState state) {}
