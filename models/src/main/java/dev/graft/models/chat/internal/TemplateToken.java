package dev.graft.models.chat.internal;

/**
 * A piece of template source.
 *
 * @param value text, name, operator, or the digits of a number
 */
record TemplateToken(Kind kind, String value, int line) {

    enum Kind {
        DATA,
        BLOCK_BEGIN,
        BLOCK_END,
        VARIABLE_BEGIN,
        VARIABLE_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind kind, String value) {
        return this.kind == kind && this.value.equals(value);
    }

    boolean isName(String name) {
        return is(Kind.NAME, name);
    }

    boolean isOperator(String operator) {
        return is(Kind.OPERATOR, operator);
    }

    String shown() {
        return switch (kind) {
            case DATA -> "text";
            case BLOCK_BEGIN -> "{%";
            case BLOCK_END -> "%}";
            case VARIABLE_BEGIN -> "{{";
            case VARIABLE_END -> "}}";
            case END -> "the end of the template";
            case STRING -> "a string";
            default -> "'" + value + "'";
        };
    }
}
