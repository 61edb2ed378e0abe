package dev.graft.serve;

import dev.graft.peft.Selection;

/**
 * What answers: the base alone or with an adapter.
 *
 * @param name what clients call it
 * @param revision differs each time that an adapter is loaded, so that what was made with an older one under the same name isn't used
 */
public record Served(String name, long revision, Selection selection) {
    /** The base alone. */
    public static Served base(String name) {
        return new Served(name, 0, Selection.BASE);
    }
}
