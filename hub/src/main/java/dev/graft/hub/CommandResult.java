package dev.graft.hub;

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
record CommandResult(int exitCode, String output) {
    /**
     * Runs a program in a folder of its own and reports the bytes that appear below {@code watched} while it works.
     *
     * @param total bytes expected there, or -1
     */
    static CommandResult run(
            List<String> words,
            Path folder,
            Map<String, String> variables,
            Path watched,
            String what,
            long total,
            DownloadProgress progress) {
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
                progress.onProgress(what, bytesBelow(watched), total);
            } while (!process.waitFor(200, TimeUnit.MILLISECONDS));
            return new CommandResult(
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

    /** The last lines, which usually contain the reason of a failure. */
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
