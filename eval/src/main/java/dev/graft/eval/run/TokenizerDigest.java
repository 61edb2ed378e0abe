package dev.graft.eval.run;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The files that decide how a text becomes token ids, the chat template included. */
final class TokenizerDigest {
    private static final List<String> NAMES =
            List.of("tokenizer.json", "tokenizer_config.json", "vocab.txt", "tokenizer.model", "chat_template.jinja");

    private TokenizerDigest() {}

    /** SHA-256 over those in a folder; null where none are, or the model is one file that the base's fingerprint covers. */
    static @Nullable String sha256(Path folder) {
        MessageDigest sha = Sha256.digest();
        boolean any = false;
        for (String name : NAMES) {
            Path file = folder.resolve(name);
            if (Files.isRegularFile(file)) {
                any = true;
                sha.update(name.getBytes(StandardCharsets.UTF_8));
                try {
                    sha.update(Files.readAllBytes(file));
                } catch (IOException e) {
                    throw new FileAccessException("cannot read " + file, e);
                }
            }
        }
        return any ? Sha256.hex(sha) : null;
    }
}
