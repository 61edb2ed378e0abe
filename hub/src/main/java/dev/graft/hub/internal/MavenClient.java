package dev.graft.hub.internal;

import dev.graft.hub.FetchException;
import dev.graft.hub.Progress;
import dev.graft.hub.Source;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Lets the installed {@code mvn} fetch a jar, with whatever mirrors, proxies and credentials its settings have. */
public record MavenClient(Environment environment) {

    /** Puts the jar into {@code destination}; {@code work} is an empty folder for the run. */
    public void fetch(Source.Maven source, Path work, Path destination, long bytes, Progress progress) {
        String coordinates = source.group() + ":" + source.artifact() + ":" + source.version();
        String byHand = "mvn dependency:copy -Dartifact=" + coordinates;
        Path mvn = environment
                .executable("mvn")
                .orElseThrow(() -> new FetchException(source
                        + " needs Maven, and there is no 'mvn' on the PATH. Install it (Debian, Ubuntu: apt-get install maven;"
                        + " macOS: brew install maven) and try again."));
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
        Command command = Command.run(words, work, variables, destination, "mvn " + coordinates, bytes, progress);
        if (command.exitCode() != 0) {
            throw new FetchException(source + ": mvn ended with exit code " + command.exitCode()
                    + environment
                            .offline()
                            .map(name -> " in offline mode (" + name + " is set)")
                            .orElse("")
                    + ". To see it by itself run:\n  " + byHand + " -DoutputDirectory=.\nIt said:\n" + reason(command));
        }
    }

    /** What went wrong, without the advice that follows it in every failure of Maven. */
    private static String reason(Command command) {
        String text = command.output().replaceAll("\u001B\\[[0-9;]*m", "");
        int advice = text.indexOf("-> [Help 1]");
        String plain = (advice < 0 ? text : text.substring(0, advice)).replaceAll("(?m)^\\[ERROR\\] *", "");
        return plain.strip().split("\n\\s*\n", 2)[0];
    }
}
