package dev.graft.parity;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/** Adapter folders: loading one, and what saving it again gives. */
final class AdapterFiles {
    static final String CONFIG = "adapter_config.json";
    static final String TENSORS = "adapter_model.safetensors";

    /** Say who wrote the file with which classes, not what it holds. */
    private static final Set<String> WRITER = Set.of("peft_version", "auto_mapping");

    private AdapterFiles() {}

    static Adapter load(dev.graft.models.Base base, Path folder) {
        return NotCovered.unlessRefused(folder.resolve(CONFIG), () -> Adapter.load(base, folder));
    }

    /** Saves into a temporary folder and lets someone look at it. */
    static void saved(Adapter adapter, Consumer<Path> look) {
        temporary(temporary -> {
            Path folder = temporary.resolve("adapter");
            adapter.save(folder);
            look.accept(folder);
            return folder;
        });
    }

    /** Lets someone use a temporary folder. */
    static <T> T temporary(Function<Path, T> use) {
        Path temporary = null;
        try {
            temporary = Files.createTempDirectory("graft-parity");
            return use.apply(temporary);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot use a temporary folder: " + e.getMessage(), e);
        } finally {
            if (temporary != null) {
                AtomicWrite.delete(temporary);
            }
        }
    }

    /** Compares two folders: the configuration's fields, the names and the shapes of the tensors. */
    static void compare(Check check, Path got, Path expected) {
        Configs.compare(check, CONFIG, Json.read(got.resolve(CONFIG)), Json.read(expected.resolve(CONFIG)), WRITER);
        check.same(
                "the tensors that are saved",
                Listing.namesAndShapes(got.resolve(TENSORS)),
                Listing.namesAndShapes(expected.resolve(TENSORS)));
    }
}
