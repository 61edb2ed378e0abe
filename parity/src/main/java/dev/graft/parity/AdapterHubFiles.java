package dev.graft.parity;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Adapter folders as AdapterHub writes them. */
final class AdapterHubFiles {
    static final String TENSORS = "adapter.safetensors";
    private static final String COMPLETE = "adapter.complete.safetensors";

    private AdapterHubFiles() {}

    /**
     * Loads a folder with the manifest's corrections of the configuration, and with complete tensors if the library lost some.
     */
    static Adapter load(Base base, Path folder, JsonNode corrections) {
        boolean complete = Files.exists(folder.resolve(COMPLETE));
        if (corrections.isEmpty() && !complete) {
            return AdapterFiles.load(base, folder);
        }
        return copied(folder, copy -> {
            try {
                if (complete) {
                    Files.move(
                            copy.resolve(COMPLETE),
                            copy.resolve(TENSORS),
                            java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                }
                Path file = copy.resolve(AdapterFiles.CONFIG);
                ObjectNode config = (ObjectNode) Json.read(file);
                corrections
                        .properties()
                        .forEach(entry -> ((ObjectNode) config.path("config")).set(entry.getKey(), entry.getValue()));
                Files.writeString(file, Json.compact(config));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return AdapterFiles.load(base, copy);
        });
    }

    private static <T> T copied(Path folder, Function<Path, T> use) {
        return AdapterFiles.temporary(temporary -> {
            Path copy = temporary.resolve("copy");
            try (Stream<Path> files = Files.list(folder)) {
                Files.createDirectory(copy);
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    Files.copy(file, copy.resolve(file.getFileName()));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return use.apply(copy);
        });
    }

    /**
     * Compares the settings and the names and shapes of the tensors, whatever the name of the adapter and the prefix of the model's
     * tensors.
     */
    static void compare(CaseCheck check, Path got, Path expected, JsonNode corrections, Base base, String name) {
        JsonNode is = Json.read(got.resolve(AdapterFiles.CONFIG)).path("config");
        ObjectNode wanted =
                (ObjectNode) Json.read(expected.resolve(AdapterFiles.CONFIG)).path("config");
        corrections.properties().forEach(entry -> wanted.set(entry.getKey(), entry.getValue()));
        ConfigComparison.compare(check, "config", is, wanted, Set.of());
        Path complete = expected.resolve(COMPLETE);
        check.same(
                "the tensors that are saved",
                plain(got.resolve(TENSORS), base, "default"),
                plain(Files.exists(complete) ? complete : expected.resolve(TENSORS), base, name));
    }

    private static List<String> plain(Path file, Base base, String name) {
        return TensorListing.namesAndShapes(file).stream()
                .map(tensor -> {
                    int end = tensor.indexOf(' ');
                    return key(tensor.substring(0, end), base, name) + tensor.substring(end);
                })
                .sorted()
                .toList();
    }

    /** A tensor's name with {@code *} for the adapter's name, without what a model with a head has before its backbone. */
    static String key(String tensor, Base base, String name) {
        String own = base.architecture().prefix();
        String prefix = own.isEmpty() ? "transformer." : own;
        String bare = tensor.startsWith(prefix) ? tensor.substring(prefix.length()) : tensor;
        return ("." + bare + ".").replace("." + name + ".", ".*.").replaceAll("^\\.|\\.$", "");
    }
}
