package dev.graft.hub.internal;

import dev.graft.hub.FetchException;
import dev.graft.hub.Progress;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A run of another program: its exit code and everything it printed. */
record Command(int exitCode, String output) {
    /**
     * Runs a program in a folder of its own and reports the bytes that appear below {@code watched} while it works.
     *
     * @param total bytes expected there, or -1
     */
    static Command run(
            List<String> words,
            Path folder,
            Map<String, String> variables,
            Path watched,
            String what,
            long total,
            Progress progress) {
        Path output = folder.resolve("output.txt");
        Process process;
        try {
            ProcessBuilder builder = new ProcessBuilder(words)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .redirectInput(ProcessBuilder.Redirect.from(
                            Files.createFile(folder.resolve("input.txt")).toFile()));
            builder.environment().clear();
            builder.environment().putAll(variables);
            process = builder.start();
        } catch (IOException e) {
            throw new FetchException("Cannot start " + words.get(0) + ": " + e.getMessage(), e);
        }
        try {
            do {
                progress.report(what, bytesBelow(watched), total);
            } while (!process.waitFor(200, TimeUnit.MILLISECONDS));
            return new Command(
                    process.exitValue(),
                    Files.readString(output, StandardCharsets.ISO_8859_1).strip());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FetchException("Interrupted while " + words.get(0) + " was running", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            process.descendants().forEach(ProcessHandle::destroy);
            process.destroy();
        }
    }

    /** The last lines, where programs say why they failed. */
    String tail() {
        List<String> lines = output.lines().filter(line -> !line.isBlank()).toList();
        return String.join("\n", lines.subList(Math.max(0, lines.size() - 8), lines.size()));
    }

    private static long bytesBelow(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        } catch (IOException | UncheckedIOException e) {
            return 0; // a file went away while we looked; the next look is 200 ms off
        }
    }
}
