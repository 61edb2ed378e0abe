package dev.graft.cli.doctor;

import dev.graft.cli.terminal.Figures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The folders in which downloads and unpacked native libraries stay. */
final class CacheCheck implements Check {
    private static final long LITTLE = 2L << 30;

    @Override
    public String title() {
        return "Caches";
    }

    @Override
    public List<Finding> findings(Machine machine) {
        List<Finding> findings = new ArrayList<>();
        folders(machine).forEach((name, folder) -> findings.add(Finding.ok(name, size(folder) + "  " + folder)));
        try {
            long free = Files.getFileStore(machine.home()).getUsableSpace();
            findings.add(
                    free >= LITTLE
                            ? Finding.ok("disk", Figures.bytes(free) + " free")
                            : Finding.warning(
                                    "disk",
                                    Figures.bytes(free) + " free",
                                    "a first start unpacks 350 MB of native libraries"));
        } catch (IOException e) {
            findings.add(Finding.problem(
                    "disk", String.valueOf(e.getMessage()), "the home folder " + machine.home() + " can't be read"));
        }
        return findings;
    }

    static Map<String, Path> folders(Machine machine) {
        Path home = machine.home();
        Path huggingFace = machine.variable("HF_HOME")
                .map(Path::of)
                .orElseGet(() -> machine.variable("XDG_CACHE_HOME")
                        .map(Path::of)
                        .orElse(home.resolve(".cache"))
                        .resolve("huggingface"));
        Map<String, Path> folders = new LinkedHashMap<>();
        folders.put(
                "models (hf)", machine.variable("HF_HUB_CACHE").map(Path::of).orElse(huggingFace.resolve("hub")));
        folders.put("Maven", home.resolve(".m2").resolve("repository"));
        folders.put(
                "libtorch",
                Path.of(System.getProperty(
                        "org.bytedeco.javacpp.cachedir",
                        home.resolve(".javacpp").resolve("cache").toString())));
        folders.put(
                "tokenizers",
                machine.variable("DJL_CACHE_DIR")
                        .map(Path::of)
                        .orElse(home.resolve(".djl.ai"))
                        .resolve("tokenizers"));
        return folders;
    }

    private static String size(Path folder) {
        if (!Files.isDirectory(folder)) {
            return "not there yet";
        }
        long[] bytes = {0};
        try {
            // Blobs are counted where they are: links into them, as in the hub's snapshots, have next to no size.
            Files.walkFileTree(folder, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    bytes[0] += attributes.isRegularFile() ? attributes.size() : 0;
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException e) {
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + folder + ": " + e.getMessage(), e);
        }
        return Figures.bytes(bytes[0]);
    }
}
