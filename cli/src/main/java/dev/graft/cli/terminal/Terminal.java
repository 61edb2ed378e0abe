package dev.graft.cli.terminal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Detects whether a person uses the terminal. */
public final class Terminal {
    private Terminal() {}

    /** Returns whether standard error is a terminal that can redraw a line. */
    public static boolean isLive() {
        return isTerminal(2) && canRedraw(System.getenv());
    }

    /** Returns whether a person types the input and reads the output. */
    public static boolean isInteractive() {
        return isTerminal(0) && isTerminal(1);
    }

    static boolean canRedraw(Map<String, String> environment) {
        String term = environment.getOrDefault("TERM", "");
        return !term.isEmpty() && !term.equals("dumb") && !environment.containsKey("CI");
    }

    /** The JDK tells only whether input and output both are terminals; Linux tells for each descriptor. */
    private static boolean isTerminal(int descriptor) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor))
                    .toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException e) {
            return System.console() != null;
        }
    }
}
