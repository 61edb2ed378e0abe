package dev.graft.hub;

import java.util.stream.Stream;

/** A check of names from an archive or a server before they become paths. */
final class SafePath {
    private SafePath() {}

    /** Returns whether a name, resolved against any folder, stays below it on every system. */
    static boolean isSafe(String name) {
        return !name.isEmpty()
                && name.chars().noneMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c))
                && Stream.of(name.split("/", -1))
                        .noneMatch(part -> part.isEmpty() || part.equals(".") || part.equals(".."));
    }
}
