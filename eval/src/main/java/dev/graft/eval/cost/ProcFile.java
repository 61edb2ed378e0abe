package dev.graft.eval.cost;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** A file of {@code key : value} lines, as Linux has them under {@code /proc}. */
record ProcFile(Path file) {

    /** The value of the first line with this key; empty if there is no such line or file. */
    Optional<String> value(String key) {
        // The kernel writes ASCII here, but a process name in it can be any bytes.
        try (Stream<String> lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.startsWith(key)
                            && line.substring(key.length()).strip().startsWith(":"))
                    .findFirst()
                    .map(line ->
                            line.substring(line.indexOf(':', key.length()) + 1).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** An amount that the kernel states in "kB", which are 1024 bytes. */
    Measurement<Long> bytes(String key) {
        Optional<String> text = value(key);
        if (text.isEmpty()) {
            return Measurement.unavailable("bytes", "no " + key + " in " + file);
        }
        String amount = text.get();
        if (!amount.matches("[0-9]{1,15} kB")) {
            return Measurement.unavailable("bytes", key + " in " + file + " is \"" + amount + "\", expected kB");
        }
        long kibibytes = Long.parseLong(amount.substring(0, amount.length() - 3));
        return new Measurement<>(kibibytes * 1024, "bytes", key + " of " + file);
    }
}
