package dev.graft.train.data.internal;

import dev.graft.train.data.internal.PictureArchive.SplitFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Finds and opens archives of pictures: {@link Idx}, {@link Cifar}. */
public final class PictureArchives {
    private PictureArchives() {}

    /** Returns the pictures that a folder holds in such files, or null. */
    public static @Nullable SplitFiles splitFiles(Path folder) {
        SplitFiles idx = Idx.in(folder);
        return idx == null ? Cifar.in(folder) : idx;
    }

    static boolean isIn(Path path) {
        return Files.isDirectory(path)
                ? Cifar.isTenOf(path)
                : Files.exists(path) && (Idx.isOne(path) || Cifar.isOne(path));
    }

    static PictureArchive open(Path path) {
        if (!Files.isDirectory(path) && Idx.isOne(path)) {
            return Idx.open(path);
        }
        return Cifar.open(path);
    }
}
