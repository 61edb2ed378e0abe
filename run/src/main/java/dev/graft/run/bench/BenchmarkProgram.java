package dev.graft.run.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A program to run in a new process.
 *
 * @param start the command before its arguments
 * @param unset environment variables to remove
 */
public record BenchmarkProgram(List<String> start, List<String> unset) {
    private static final int LINES_OF_FAILURE = 5;

    /**
     * The output of a run.
     *
     * @param lines the lines of standard output
     * @param seconds the duration of the process
     */
    public record Run(List<String> lines, double seconds) {
        /** Returns the last line; empty if there is none. */
        public String last() {
            return lines.isEmpty() ? "" : lines.get(lines.size() - 1);
        }
    }

    /** Returns a Java program with the virtual machine, the settings and the class path of this one. */
    public static BenchmarkProgram java(String mainClass) {
        List<String> start = new ArrayList<>();
        start.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> !argument.startsWith("-javaagent:") && !argument.startsWith("-agentlib:"))
                .forEach(start::add);
        start.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass));
        return new BenchmarkProgram(start, List.of("OMP_NUM_THREADS"));
    }

    /**
     * Runs the program and waits for its end.
     *
     * @throws FailedProgramException with the last lines of its standard error, if it fails
     */
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
                throw new FailedProgramException(command, code, end(errors));
            }
            return new Run(output.lines().toList(), seconds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static List<String> end(Path errors) throws IOException {
        List<String> lines =
                Files.readString(errors, StandardCharsets.ISO_8859_1).lines().toList();
        return lines.subList(Math.max(0, lines.size() - LINES_OF_FAILURE), lines.size());
    }
}
