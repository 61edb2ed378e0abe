package dev.graft.serve;

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

/** A folder with a folder for each adapter. A name is looked up in it and never made into a path that leads out of it. */
public final class FolderStore implements AdapterStore {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

    private final Path root;

    /** @throws InputException if it is no folder */
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

    /** The folder itself: what lies in it is taken to stay as it is. */
    @Override
    public Found find(String name) {
        Path folder = folder(name);
        return new Found(
                folder.getFileName().toString(),
                folder.toString(),
                (base, serves) -> serves ? Adapter.loadServed(base, folder) : Adapter.load(base, folder));
    }

    /**
     * A name, or the path of its folder. Names are compared as they are written, on file systems that don't tell cases apart too.
     *
     * @throws UnknownAdapterException if it isn't a folder in this one
     */
    @Override
    public Path folder(String path) {
        String prefix = root + root.getFileSystem().getSeparator();
        String name = path.startsWith(prefix) ? path.substring(prefix.length()) : path;
        if (NAME.matcher(name).matches() && isAdapter(root.resolve(name)) && isWritten(name)) {
            return root.resolve(name);
        }
        throw new UnknownAdapterException(
                "there is no adapter " + InputException.shown(path) + " in the adapters' folder");
    }

    private boolean isWritten(String name) {
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

    /** Whether an adapter may be called so. */
    static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }
}
