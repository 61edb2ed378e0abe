package dev.graft.serve.tools;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Parses tool calls in a text while it is generated. Once the function of a call is known, its arguments are passed on as they are
 * generated. Text that starts like a call, by a tag or a brace, is held back until it is known whether it is one. White space before and
 * between calls is dropped if there is no other text.
 */
public final class ToolCallParser {
    private static final String END = "</tool_call>";
    private static final Pattern HEAD = Pattern.compile(
            "\\s*+\\{\\s*+\"name\"\\s*+:\\s*+\"([^\"\\\\]++)\"\\s*+,\\s*+\"(?:arguments|parameters)\"\\s*+:\\s*+(?=\\{)");

    /** The characters that are skipped between the end of a call's arguments and its end tag; some occur in broken calls only. */
    private static final String BETWEEN = " \t\r\n}]";

    private final @Nullable Tools tools;
    private final String tag;
    private final StringBuilder buffer = new StringBuilder();
    private final StringBuilder pendingText = new StringBuilder();
    private State state;
    private boolean hasText;
    private int calls;
    private JsonNesting nesting = new JsonNesting(1);

    private enum State {
        TEXT,
        /** Inside a call, before its arguments. */
        HEAD,
        ARGUMENTS,
        /** Inside a call, after its arguments. */
        TAIL,
        /** After a call's object, where an end tag may follow. */
        CLOSE,
        /** After the only call that a text may have. */
        DONE
    }

    /**
     * Creates a parser for one text.
     *
     * @param tools the functions that can be called; null for none
     */
    public ToolCallParser(@Nullable Tools tools) {
        this.tools = tools;
        this.tag = tools == null || tools.isForced() ? "" : tools.format().tag;
        this.state = tools != null && tools.isForced() ? State.HEAD : State.TEXT;
    }

    /** Parses more of the text and returns the deltas that are certain. */
    public List<MessageDelta> append(String more) {
        List<MessageDelta> emitted = new ArrayList<>();
        buffer.append(more);
        if (tools == null) {
            emitText(consume(buffer.length()), emitted);
            return emitted;
        }
        boolean goesOn = true;
        while (goesOn) {
            goesOn = switch (state) {
                case TEXT -> text(emitted);
                case HEAD -> head(tools, emitted);
                case ARGUMENTS -> arguments(emitted);
                case TAIL -> tail(tools);
                case CLOSE -> close(tools);
                case DONE -> !consume(buffer.length()).isEmpty();
            };
        }
        return emitted;
    }

    /**
     * Ends the text and returns the remaining deltas. Text that looks like a call but is none becomes ordinary text.
     */
    public List<MessageDelta> finish() {
        List<MessageDelta> emitted = new ArrayList<>();
        String rest = consume(buffer.length());
        if (state == State.HEAD && tools != null) {
            emitCall(tools, rest, tag + rest, emitted);
        } else if (state == State.TEXT) {
            addText(rest, emitted);
        }
        if (calls == 0) {
            emitText(pendingText.toString(), emitted);
        }
        return emitted;
    }

    /** Returns whether the only allowed call is complete. */
    boolean isDone() {
        return state == State.DONE;
    }

    /**
     * Returns a predicate that receives the parts of a text and is true after the only call that the text may have. It is null without
     * tools, for parallel calls, and for forced calls, which end with their JSON.
     */
    public static @Nullable Predicate<String> stopCondition(@Nullable Tools tools) {
        if (tools == null || tools.parallel() || tools.isForced()) {
            return null;
        }
        ToolCallParser parser = new ToolCallParser(tools);
        return piece -> {
            parser.append(piece);
            return parser.isDone();
        };
    }

    /** Returns whether there are calls and the arguments of the last are complete. */
    public boolean hasToolCalls() {
        return calls > 0 && state != State.ARGUMENTS;
    }

    private boolean text(List<MessageDelta> emitted) {
        int call = callStart();
        addText(consume(call >= 0 ? call : buffer.length() - beginningOfTag()), emitted);
        return call >= 0 && enter(State.HEAD, tag.length());
    }

    /** Returns the position where a call may begin, or -1. */
    private int callStart() {
        if (!tag.isEmpty()) {
            return buffer.indexOf(tag);
        }
        int brace = buffer.indexOf("{");
        return !hasText
                        && calls == 0
                        && brace >= 0
                        && buffer.substring(0, brace).isBlank()
                ? brace
                : -1;
    }

    /** Returns the length of the tag's beginning with which the text ends. */
    private int beginningOfTag() {
        int open = Math.min(buffer.length(), Math.max(0, tag.length() - 1));
        while (!tag.startsWith(buffer.substring(buffer.length() - open))) {
            open--;
        }
        return open;
    }

    private boolean head(Tools own, List<MessageDelta> emitted) {
        Matcher head = HEAD.matcher(buffer);
        if (head.lookingAt() && own.names().contains(head.group(1))) {
            startCall(Tools.ToolCall.of(head.group(1), ""), emitted);
            nesting = new JsonNesting(1);
            return enter(State.ARGUMENTS, head.end());
        }
        int end = tag.isEmpty() ? -1 : buffer.indexOf(END);
        if (end < 0) {
            return false;
        }
        String text = buffer.substring(0, end);
        emitCall(own, text, tag + text + END, emitted);
        return enter(afterCall(own), end + END.length());
    }

    private boolean arguments(List<MessageDelta> emitted) {
        String more = consume(nesting.read(buffer, 1));
        if (!more.isEmpty()) {
            emitted.add(new MessageDelta.ToolCallArguments(calls - 1, more));
        }
        return nesting.depth() == 1 && enter(State.TAIL, 0);
    }

    private boolean tail(Tools own) {
        consume(nesting.read(buffer, 0));
        return nesting.depth() == 0 && enter(tag.isEmpty() ? afterCall(own) : State.CLOSE, 0);
    }

    private State afterCall(Tools own) {
        return calls == 0 || own.parallel() ? State.TEXT : State.DONE;
    }

    private boolean close(Tools own) {
        int start = 0;
        while (start < buffer.length() && BETWEEN.indexOf(buffer.charAt(start)) >= 0) {
            start++;
        }
        consume(start);
        if (buffer.length() < END.length() && END.startsWith(buffer.toString())) {
            return false;
        }
        return enter(afterCall(own), buffer.indexOf(END) == 0 ? END.length() : 0);
    }

    private boolean enter(State next, int from) {
        consume(from);
        state = next;
        return true;
    }

    private String consume(int length) {
        String text = buffer.substring(0, length);
        buffer.delete(0, length);
        return text;
    }

    /** A call whose text is at hand. */
    private void emitCall(Tools own, String text, String otherwise, List<MessageDelta> emitted) {
        Tools.ToolCall call = own.parseCall(text.strip());
        if (call == null) {
            addText(otherwise, emitted);
        } else {
            startCall(call, emitted);
            emitted.add(new MessageDelta.ToolCallArguments(calls - 1, call.arguments()));
        }
    }

    private void startCall(Tools.ToolCall call, List<MessageDelta> emitted) {
        emitted.add(new MessageDelta.ToolCallStart(calls++, call.id(), call.name()));
        pendingText.setLength(0);
        hasText = false;
    }

    private void addText(String text, List<MessageDelta> emitted) {
        pendingText.append(text);
        hasText |= !text.isBlank();
        if (hasText) {
            emitText(pendingText.toString(), emitted);
            pendingText.setLength(0);
        }
    }

    private static void emitText(String text, List<MessageDelta> emitted) {
        if (!text.isEmpty()) {
            emitted.add(new MessageDelta.TextDelta(text));
        }
    }
}
