package dev.graft.formats;

/** A field of a JSON object that isn't usable. The message is {@code <file>: <field and what is wrong with it>}. */
public final class FieldException extends FormatException {
    private static final long serialVersionUID = 1;

    private final String source;
    private final String field;

    FieldException(String source, String field, String what) {
        super(source, what, null);
        this.source = source;
        this.field = field;
    }

    /** The file, as {@link Fields#source} has it. */
    public String source() {
        return source;
    }

    /** Where it stands in the file, such as {@code messages[0].role}. */
    public String field() {
        return field;
    }
}
