package dev.graft.run.merge;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.run.model.LoadedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The output folder of a command that writes a model or an adapter. */
public record ModelFolder(Path path, boolean overwrite) {
    /**
     * Checks that the folder is empty, new or may be replaced.
     *
     * @throws InputException if it isn't
     */
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
            throw new FileAccessException("cannot list " + path, e);
        }
    }

    /**
     * Checks that the folder isn't that of the model or an adapter, which would be lost.
     *
     * @param done the past participle for the message, such as {@code merged}
     * @throws InputException if it is
     */
    public void requireElsewhere(LoadedModel loaded, List<String> adapters, String done) {
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
