package dev.graft.formats.internal;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.util.concurrent.atomic.AtomicInteger;

/** Dies or fails at a chosen step of the atomic writes; in this package because only tests may watch the steps. */
public final class FileStepCounter {

    private FileStepCounter() {}

    /** Ends the process at the k-th step from now, counting from 1, as a power cut would: no finally blocks, no hooks. */
    public static AtomicInteger haltAt(int k) {
        AtomicInteger steps = new AtomicInteger();
        FileOperations.observer = (operation, path) -> {
            if (steps.incrementAndGet() == k) {
                Runtime.getRuntime().halt(99);
            }
        };
        return steps;
    }

    /** From the k-th step on, every step that needs space fails as on a full disk. */
    public static AtomicInteger fullFrom(int k) {
        AtomicInteger steps = new AtomicInteger();
        FileOperations.observer = (operation, path) -> {
            if (!operation.equals("delete") && steps.incrementAndGet() >= k) {
                throw new IOException("No space left on device");
            }
        };
        return steps;
    }

    /** A step that nothing comes after, as if the process were gone. */
    public static final class Dead extends Error {
        private static final long serialVersionUID = 1;
    }

    /** From the k-th step on nothing happens to files any more, not even the tidying up of what failed. */
    public static AtomicInteger deadFrom(int k) {
        AtomicInteger steps = new AtomicInteger();
        FileOperations.observer = (operation, path) -> {
            if (steps.incrementAndGet() >= k) {
                throw new Dead();
            }
        };
        return steps;
    }

    /** At the k-th step and at all later ones that need space the disk is read-only. */
    public static AtomicInteger readOnlyFrom(int k) {
        AtomicInteger steps = new AtomicInteger();
        FileOperations.observer = (operation, path) -> {
            if (steps.incrementAndGet() >= k) {
                throw new AccessDeniedException(path.toString());
            }
        };
        return steps;
    }

    public static void stop() {
        FileOperations.observer = (operation, path) -> {};
    }
}
