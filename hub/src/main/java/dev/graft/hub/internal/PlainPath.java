package dev.graft.hub.internal;

import java.util.stream.Stream;

/** Names that come from an archive or a server and become paths. */
final class PlainPath {
    private PlainPath() {}

    /** Whether a name stays below any folder it is resolved against, on every system. */
    static boolean is(String name) {
        return !name.isEmpty()
                && name.chars().noneMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c))
                && Stream.of(name.split("/", -1))
                        .noneMatch(part -> part.isEmpty() || part.equals(".") || part.equals(".."));
    }
}
