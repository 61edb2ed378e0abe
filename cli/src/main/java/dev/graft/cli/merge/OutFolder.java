package dev.graft.cli.merge;

import dev.graft.cli.model.Loading;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The folder that a command writes a model or an adapter to. */
public record OutFolder(Path path, boolean overwrite) {
    /** Refuses one that holds something, unless it may be replaced. */
    public void requireFree() {
        if (!Files.exists(path) || overwrite && Files.isDirectory(path)) {
            return;
        }
        if (!Files.isDirectory(path)) {
            throw new InputException("--out " + path + " is a file, expected a folder to make");
        }
        try (Stream<Path> inside = Files.list(path)) {
            if (inside.findAny().isPresent()) {
                throw new InputException("--out " + path
                        + " is there and not empty; name another folder, or give --overwrite to replace it");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + path + ": " + e.getMessage(), e);
        }
    }

    /** Replacing the folder that the model or an adapter is read from would lose it. */
    public void requireElsewhere(Loading loaded, List<String> adapters, String done) {
        Stream<Path> sources = Stream.concat(
                Stream.of(loaded.files()), adapters.stream().map(Path::of).filter(Files::exists));
        Path target = path.toAbsolutePath().normalize();
        sources.map(source -> source.toAbsolutePath().normalize())
                .filter(source -> source.startsWith(target))
                .findAny()
                .ifPresent(source -> {
                    throw new InputException(
                            "--out " + path + " holds " + source + ", which is " + done + "; name another folder");
                });
    }
}
