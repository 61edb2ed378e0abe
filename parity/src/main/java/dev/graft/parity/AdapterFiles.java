package dev.graft.parity;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/** Loads adapter folders, saves them again and compares the results. */
final class AdapterFiles {
    static final String CONFIG = "adapter_config.json";
    static final String TENSORS = "adapter_model.safetensors";

    /** Say who wrote the file with which classes, not what it holds. */
    private static final Set<String> WRITER = Set.of("peft_version", "auto_mapping");

    private AdapterFiles() {}

    static Adapter load(dev.graft.models.Base base, Path folder) {
        return NotCoveredException.unlessRefused(folder.resolve(CONFIG), () -> Adapter.load(base, folder));
    }

    /** Saves an adapter into a temporary folder and calls {@code look} with it. */
    static void saved(Adapter adapter, Consumer<Path> look) {
        temporary(temporary -> {
            Path folder = temporary.resolve("adapter");
            adapter.save(folder);
            look.accept(folder);
            return folder;
        });
    }

    /** Calls a function with a temporary folder. */
    static <T> T temporary(Function<Path, T> use) {
        Path temporary = null;
        try {
            temporary = Files.createTempDirectory("graft-parity");
            return use.apply(temporary);
        } catch (IOException e) {
            throw new FileAccessException("cannot use a temporary folder", e);
        } finally {
            if (temporary != null) {
                AtomicWrite.delete(temporary);
            }
        }
    }

    /** Compares two folders: the configuration's fields, the names and the shapes of the tensors. */
    static void compare(CaseCheck check, Path got, Path expected) {
        ConfigComparison.compare(
                check, CONFIG, Json.read(got.resolve(CONFIG)), Json.read(expected.resolve(CONFIG)), WRITER);
        check.same(
                "the tensors that are saved",
                TensorListing.namesAndShapes(got.resolve(TENSORS)),
                TensorListing.namesAndShapes(expected.resolve(TENSORS)));
    }
}
