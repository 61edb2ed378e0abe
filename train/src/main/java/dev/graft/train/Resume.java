package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Where a run begins. */
public sealed interface Resume {
    /** At the newest whole checkpoint of its folder, or at the beginning if there is none. */
    Resume AUTO = new Newest();

    /** At the beginning; a folder that already has checkpoints is refused. */
    Resume NEVER = new Fresh();

    /** At a checkpoint. */
    static Resume from(Path checkpoint) {
        return new From(checkpoint);
    }

    /** {@code auto}, {@code never} or the path of a checkpoint. */
    static Resume of(String value) {
        return switch (value) {
            case "auto" -> AUTO;
            case "never" -> NEVER;
            default -> from(Path.of(value));
        };
    }

    /** The checkpoint to go on from, null to begin anew. */
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
    record From(Path checkpoint) implements Resume {
        @Override
        public Checkpoint find(Checkpoints checkpoints) {
            return Checkpoints.open(checkpoint);
        }
    }
}
