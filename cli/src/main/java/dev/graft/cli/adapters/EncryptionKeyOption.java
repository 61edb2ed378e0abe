package dev.graft.cli.adapters;

import dev.graft.peft.store.FileEncryption;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option {@code --encryption-key}. */
public final class EncryptionKeyOption {

    @Option(
            names = "--encryption-key",
            paramLabel = "FILE",
            description =
                    "The key of an encrypted store, which `graft adapters key` makes (default: $GRAFT_ADAPTERS_KEY).")
    private @Nullable Path file;

    /** Returns the encryption by the key in the file, else by the one that the environment names; null for none. */
    public @Nullable FileEncryption encryption() {
        if (file != null) {
            return FileEncryption.read(file);
        }
        String named = System.getenv("GRAFT_ADAPTERS_KEY");
        return named == null || named.isEmpty() ? null : FileEncryption.read(Path.of(named));
    }
}
