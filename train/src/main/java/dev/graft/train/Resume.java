package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The point at which a run begins: its newest checkpoint, the beginning, or a given checkpoint. */
public sealed interface Resume {
    /** Resumes at the newest intact checkpoint of the run's folder, or begins if there is none. */
    Resume AUTO = new Newest();

    /** Begins a new run; a folder that already has checkpoints is refused with an InputException. */
    Resume NEVER = new Fresh();

    /** Resumes at a checkpoint. */
    static Resume from(Path checkpoint) {
        return new FromCheckpoint(checkpoint);
    }

    /** Parses {@code auto}, {@code never} or the path of a checkpoint. */
    static Resume of(String value) {
        return switch (value) {
            case "auto" -> AUTO;
            case "never" -> NEVER;
            default -> from(Path.of(value));
        };
    }

    /**
     * Returns the checkpoint to resume; null to begin a new run.
     *
     * @throws dev.graft.formats.InputException if the folder has checkpoints that this choice doesn't allow, or none that is intact
     */
    @Nullable
    Checkpoint find(Checkpoints checkpoints);

    /** {@link #AUTO}. */
    record Newest() implements Resume {
        @Override
        public @Nullable Checkpoint find(Checkpoints checkpoints) {
            Checkpoint last = checkpoints.last();
            if (last == null && !checkpoints.rejected().isEmpty()) {
                throw new InputException("no checkpoint of this run can be used:\n  "
                        + String.join("\n  ", checkpoints.rejected())
                        + "\nRemove them to begin anew, or choose another output_dir.");
            }
            return last;
        }
    }

    /** {@link #NEVER}. */
    record Fresh() implements Resume {
        @Override
        public @Nullable Checkpoint find(Checkpoints checkpoints) {
            if (!checkpoints.folders().isEmpty()) {
                throw new InputException(checkpoints.folders().lastEntry().getValue()
                        + " is a checkpoint of an earlier run: resume it (resume auto), or choose another output_dir");
            }
            return null;
        }
    }

    /** {@link #from}. */
    record FromCheckpoint(Path checkpoint) implements Resume {
        @Override
        public Checkpoint find(Checkpoints checkpoints) {
            return Checkpoints.open(checkpoint);
        }
    }
}
