package dev.graft.peft.store;

import dev.graft.formats.InputException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A reference to a version: {@code sql} (the served one), {@code sql@3} or {@code sql@stable}.
 *
 * @param number a version's number, or null
 * @param tag a tag, or null
 */
record VersionReference(
        String name, @Nullable Integer number, @Nullable String tag) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

    static VersionReference parse(String text) {
        int at = text.indexOf('@');
        String name = requireName(at < 0 ? text : text.substring(0, at));
        if (at < 0) {
            return new VersionReference(name, null, null);
        }
        String which = requireName(text.substring(at + 1));
        return which.matches("[0-9]{1,9}")
                ? new VersionReference(name, Integer.valueOf(which), null)
                : new VersionReference(name, null, which);
    }

    /**
     * Refuses a name that isn't plain. Files aren't named after it, so this is for people and URLs.
     *
     * @throws InputException if the name isn't plain
     */
    static String requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new UnknownAdapterException(InputException.quote(name)
                    + " is no name of an adapter: expected letters, digits, dots, dashes and underscores, at most 128");
        }
        return name;
    }

    static String requireTag(String tag) {
        requireName(tag);
        if (tag.matches("[0-9]+")) {
            throw new InputException("the tag " + tag + " is a number, which means a version; take a word");
        }
        return tag;
    }
}
