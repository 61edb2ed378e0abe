package dev.graft.serve.adapters;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.store.UnknownAdapterException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A store in a folder with one subfolder for each adapter. A name never resolves to a path outside it. */
public final class FolderStore implements AdapterStore {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

    private final Path root;

    /**
     * Opens a folder.
     *
     * @throws InputException if it is no folder
     */
    public FolderStore(Path root) {
        try {
            this.root = root.toRealPath();
        } catch (IOException missing) {
            throw new InputException(root + ": no such folder of adapters");
        }
        if (!Files.isDirectory(root)) {
            throw new InputException(root + " is no folder, expected one with a folder for each adapter");
        }
    }

    @Override
    public List<String> names() {
        try (Stream<Path> entries = Files.list(root)) {
            return entries.map(entry -> entry.getFileName().toString())
                    .filter(name -> NAME.matcher(name).matches() && isAdapter(root.resolve(name)))
                    .sorted()
                    .toList();
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    /** Returns the adapter in the folder of that name. Its files are assumed not to change. */
    @Override
    public Loadable find(String name) {
        Path folder = folder(name);
        return new Loadable(
                folder.getFileName().toString(),
                folder.toString(),
                (base, serves) -> serves ? Adapter.loadServed(base, folder) : Adapter.load(base, folder));
    }

    /**
     * Returns the folder of an adapter, given by its name or path. Names are case-sensitive on every file system.
     *
     * @throws UnknownAdapterException if it isn't a folder in this one
     */
    @Override
    public Path folder(String path) {
        String prefix = root + root.getFileSystem().getSeparator();
        String name = path.startsWith(prefix) ? path.substring(prefix.length()) : path;
        if (NAME.matcher(name).matches() && isAdapter(root.resolve(name)) && isExactName(name)) {
            return root.resolve(name);
        }
        throw new UnknownAdapterException(
                "there is no adapter " + InputException.quote(path) + " in the adapters' folder");
    }

    private boolean isExactName(String name) {
        try {
            Path real = root.resolve(name).toRealPath(LinkOption.NOFOLLOW_LINKS);
            return real.getFileName().toString().equals(name);
        } catch (IOException gone) {
            return false;
        }
    }

    /** A folder with a configuration, in the root itself and not a link out of it. */
    private boolean isAdapter(Path folder) {
        try {
            return Files.isRegularFile(folder.resolve("adapter_config.json"))
                    && root.equals(folder.toRealPath().getParent());
        } catch (IOException gone) {
            return false;
        }
    }

    /** Returns whether a text is a valid name of an adapter. */
    static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }
}
