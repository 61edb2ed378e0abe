package dev.graft.hub;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Downloads a jar through the installed {@code mvn}, with the mirrors, proxies and credentials of its settings. */
record MavenClient(HubEnvironment environment) {

    /** Writes the jar to {@code destination}; {@code work} is an empty folder for the run. */
    void fetch(Source.Maven source, Path work, Path destination, long bytes, DownloadProgress progress) {
        String coordinates = source.group() + ":" + source.artifact() + ":" + source.version();
        String byHand = "mvn dependency:copy -Dartifact=" + coordinates;
        Path mvn = environment
                .executable("mvn")
                .orElseThrow(() -> new FetchException(source
                        + " needs Maven, and there is no 'mvn' on the PATH. Install it (Debian, Ubuntu: apt-get"
                        + " install maven; macOS: brew install maven) and try again."));
        boolean offline = environment.offline().isPresent();
        List<String> words = new ArrayList<>(List.of(
                mvn.toString(),
                "-q",
                "-B",
                "dependency:copy",
                "-Dartifact=" + coordinates,
                "-DoutputDirectory=" + destination));
        if (offline) {
            words.add("-o");
        }
        Map<String, String> variables = new HashMap<>(environment.variables());
        variables.putIfAbsent("JAVA_HOME", System.getProperty("java.home"));
        CommandResult command =
                CommandResult.run(words, work, variables, destination, "mvn " + coordinates, bytes, progress);
        if (command.exitCode() != 0) {
            throw new FetchException(source + ": mvn ended with exit code " + command.exitCode()
                    + environment
                            .offline()
                            .map(name -> " in offline mode (" + name + " is set)")
                            .orElse("")
                    + ". To see it by itself run:\n  " + byHand + " -DoutputDirectory=.\nIt said:\n" + reason(command));
        }
    }

    /** The reason of a failure, without the advice that follows in every failure of Maven. */
    private static String reason(CommandResult command) {
        String text = command.output().replaceAll("\u001B\\[[0-9;]*m", "");
        int advice = text.indexOf("-> [Help 1]");
        String plain = (advice < 0 ? text : text.substring(0, advice)).replaceAll("(?m)^\\[ERROR\\] *", "");
        return plain.strip().split("\n\\s*\n", 2)[0];
    }
}
