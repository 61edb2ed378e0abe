package dev.graft.run.doctor;

import dev.graft.formats.FileAccessException;
import dev.graft.run.progress.UnitFormat;
import java.io.IOException;
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
final class CacheCheck implements DoctorCheck {
    private static final long LITTLE = 2L << 30;

    @Override
    public String title() {
        return "Caches";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        List<DoctorFinding> findings = new ArrayList<>();
        folders(host).forEach((name, folder) -> findings.add(DoctorFinding.ok(name, size(folder) + "  " + folder)));
        try {
            long free = Files.getFileStore(host.home()).getUsableSpace();
            findings.add(
                    free >= LITTLE
                            ? DoctorFinding.ok("disk", UnitFormat.bytes(free) + " free")
                            : DoctorFinding.warning(
                                    "disk",
                                    UnitFormat.bytes(free) + " free",
                                    "a first start unpacks 350 MB of native libraries"));
        } catch (IOException e) {
            findings.add(DoctorFinding.problem(
                    "disk", String.valueOf(e.getMessage()), "the home folder " + host.home() + " can't be read"));
        }
        return findings;
    }

    static Map<String, Path> folders(HostSystem host) {
        Path home = host.home();
        Path huggingFace = host.variable("HF_HOME")
                .map(Path::of)
                .orElseGet(() -> host.variable("XDG_CACHE_HOME")
                        .map(Path::of)
                        .orElse(home.resolve(".cache"))
                        .resolve("huggingface"));
        Map<String, Path> folders = new LinkedHashMap<>();
        folders.put("models (hf)", host.variable("HF_HUB_CACHE").map(Path::of).orElse(huggingFace.resolve("hub")));
        folders.put("Maven", home.resolve(".m2").resolve("repository"));
        folders.put(
                "libtorch",
                Path.of(System.getProperty(
                        "org.bytedeco.javacpp.cachedir",
                        home.resolve(".javacpp").resolve("cache").toString())));
        folders.put(
                "tokenizers",
                host.variable("DJL_CACHE_DIR")
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
            throw new FileAccessException("cannot read " + folder, e);
        }
        return UnitFormat.bytes(bytes[0]);
    }
}
