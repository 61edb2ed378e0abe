package dev.graft.cli.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A program that is run in a process of its own.
 *
 * @param start the words of the command before its arguments
 * @param unset environment variables that it doesn't get
 */
public record Program(List<String> start, List<String> unset) {
    private static final int LINES_OF_FAILURE = 5;

    /**
     * What a run gave.
     *
     * @param lines of standard output
     * @param seconds from its start to its end
     */
    public record Run(List<String> lines, double seconds) {
        /** The last line, empty if there is none. */
        public String last() {
            return lines.isEmpty() ? "" : lines.get(lines.size() - 1);
        }
    }

    /** This very program: the same Java with the same settings. */
    public static Program graft() {
        List<String> start = new ArrayList<>();
        start.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> !argument.startsWith("-javaagent:") && !argument.startsWith("-agentlib:"))
                .forEach(start::add);
        start.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.graft.cli.Graft"));
        return new Program(start, List.of("OMP_NUM_THREADS"));
    }

    /** @throws IllegalStateException with the last lines that it wrote, if it fails */
    public Run run(List<String> arguments) {
        List<String> command = new ArrayList<>(start);
        command.addAll(arguments);
        try {
            Path errors = Files.createTempFile("graft-bench", ".log");
            try {
                return run(command, errors);
            } finally {
                Files.deleteIfExists(errors);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + start.get(0) + ": " + e.getMessage(), e);
        }
    }

    private Run run(List<String> command, Path errors) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
        unset.forEach(builder.environment()::remove);
        // Nothing is fetched while time is taken.
        builder.environment().put("HF_HUB_OFFLINE", "1");
        long started = System.nanoTime();
        Process process = builder.start();
        try {
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            double seconds = (System.nanoTime() - started) / 1e9;
            if (code != 0) {
                throw new IllegalStateException(String.join(" ", command) + " ended with " + code + ": " + end(errors));
            }
            return new Run(output.lines().toList(), seconds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static String end(Path errors) throws IOException {
        List<String> lines =
                Files.readString(errors, StandardCharsets.ISO_8859_1).lines().toList();
        return String.join(" | ", lines.subList(Math.max(0, lines.size() - LINES_OF_FAILURE), lines.size()));
    }
}
