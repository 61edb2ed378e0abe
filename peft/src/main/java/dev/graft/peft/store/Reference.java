package dev.graft.peft.store;

import dev.graft.formats.InputException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How a version is asked for: {@code sql} (what is served), {@code sql@3} or {@code sql@stable}.
 *
 * @param number a version's number, or null
 * @param tag a tag, or null
 */
record Reference(
        String name, @Nullable Integer number, @Nullable String tag) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

    static Reference parse(String text) {
        int at = text.indexOf('@');
        String name = requireName(at < 0 ? text : text.substring(0, at));
        if (at < 0) {
            return new Reference(name, null, null);
        }
        String which = requireName(text.substring(at + 1));
        return which.matches("[0-9]{1,9}")
                ? new Reference(name, Integer.valueOf(which), null)
                : new Reference(name, null, which);
    }

    /** Refuses what is no plain name; files are never called by names, so this is for people and URLs. */
    static String requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new UnknownAdapterException(InputException.shown(name)
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
