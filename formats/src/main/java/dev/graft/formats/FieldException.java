package dev.graft.formats;

import java.util.List;

/** A field of a JSON object that isn't usable. The message is {@code <file>: <field and what is wrong with it>}. */
public final class FieldException extends FormatException {
    private static final long serialVersionUID = 1;

    private final String source;
    private final String field;
    private final String[] choices;

    FieldException(String source, String field, String what, String... choices) {
        super(source, what, null);
        this.source = source;
        this.field = field;
        this.choices = choices;
    }

    /** The file, as {@link Fields#source} returns it. */
    public String source() {
        return source;
    }

    /** The names that the field allows; empty where it accepts other values too, or the names are unknown. */
    public List<String> choices() {
        return List.of(choices);
    }

    /** The path of the field in the file, such as {@code messages[0].role}. */
    public String field() {
        return field;
    }
}
