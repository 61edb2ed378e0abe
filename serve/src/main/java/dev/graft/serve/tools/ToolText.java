package dev.graft.serve.tools;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A text as it grows, of which a part may be calls of functions. Once a call's function is known its arguments are told as they are written,
 * to their end or that of the text. What begins otherwise, between a call's tags or with the bare form's brace, is kept until it ends.
 * White space is left out before and between calls where nothing else is said.
 */
public final class ToolText {
    private static final String END = "</tool_call>";
    private static final Pattern HEAD = Pattern.compile(
            "\\s*+\\{\\s*+\"name\"\\s*+:\\s*+\"([^\"\\\\]++)\"\\s*+,\\s*+\"(?:arguments|parameters)\"\\s*+:\\s*+(?=\\{)");

    /** What may stand between the end of a call's arguments and that of its tag, some of it in broken ones. */
    private static final String BETWEEN = " \t\r\n}]";

    private final @Nullable Tools tools;
    private final String tag;
    private final StringBuilder kept = new StringBuilder();
    private final StringBuilder blank = new StringBuilder();
    private Part part;
    private boolean saying;
    private int calls;
    private Nesting nesting = new Nesting(1);

    private enum Part {
        TEXT,
        /** Of a call, before its arguments. */
        HEAD,
        ARGUMENTS,
        /** Of a call, behind its arguments. */
        TAIL,
        /** Behind a call's object, where its tag ends if it does. */
        CLOSE,
        /** Behind the only call that a text may have. */
        DONE
    }

    /** @param tools null where nothing can be called */
    public ToolText(@Nullable Tools tools) {
        this.tools = tools;
        this.tag = tools == null || tools.areForced() ? "" : tools.form().tag;
        this.part = tools != null && tools.areForced() ? Part.HEAD : Part.TEXT;
    }

    /** Takes more of the text; returns what is certain now. */
    public List<Piece> take(String more) {
        List<Piece> told = new ArrayList<>();
        kept.append(more);
        if (tools == null) {
            tell(cut(kept.length()), told);
            return told;
        }
        boolean goesOn = true;
        while (goesOn) {
            goesOn = switch (part) {
                case TEXT -> text(told);
                case HEAD -> head(tools, told);
                case ARGUMENTS -> arguments(told);
                case TAIL -> tail(tools);
                case CLOSE -> close(tools);
                case DONE -> !cut(kept.length()).isEmpty();
            };
        }
        return told;
    }

    /** The end of the text. What looks like a call, but is none, is said. */
    public List<Piece> end() {
        List<Piece> told = new ArrayList<>();
        String rest = cut(kept.length());
        if (part == Part.HEAD && tools != null) {
            whole(tools, rest, tag + rest, told);
        } else if (part == Part.TEXT) {
            say(rest, told);
        }
        if (calls == 0) {
            tell(blank.toString(), told);
        }
        return told;
    }

    /** Whether the only call that it may have is behind it. */
    boolean isDone() {
        return part == Part.DONE;
    }

    /** Whether there are calls, and the text didn't end within the arguments of the last. */
    public boolean endsWithCalls() {
        return calls > 0 && part != Part.ARGUMENTS;
    }

    private boolean text(List<Piece> told) {
        int call = call();
        say(cut(call >= 0 ? call : kept.length() - beginningOfTag()), told);
        return call >= 0 && begins(Part.HEAD, tag.length());
    }

    /** Where a call may begin, or -1. */
    private int call() {
        if (!tag.isEmpty()) {
            return kept.indexOf(tag);
        }
        int brace = kept.indexOf("{");
        return !saying && calls == 0 && brace >= 0 && kept.substring(0, brace).isBlank() ? brace : -1;
    }

    /** How much of the tag the text ends with. */
    private int beginningOfTag() {
        int open = Math.min(kept.length(), Math.max(0, tag.length() - 1));
        while (!tag.startsWith(kept.substring(kept.length() - open))) {
            open--;
        }
        return open;
    }

    private boolean head(Tools own, List<Piece> told) {
        Matcher head = HEAD.matcher(kept);
        if (head.lookingAt() && own.names().contains(head.group(1))) {
            begin(Tools.Call.of(head.group(1), ""), told);
            nesting = new Nesting(1);
            return begins(Part.ARGUMENTS, head.end());
        }
        int end = tag.isEmpty() ? -1 : kept.indexOf(END);
        if (end < 0) {
            return false;
        }
        String text = kept.substring(0, end);
        whole(own, text, tag + text + END, told);
        return begins(behind(own), end + END.length());
    }

    private boolean arguments(List<Piece> told) {
        String more = cut(nesting.read(kept, 1));
        if (!more.isEmpty()) {
            told.add(new Piece.Arguments(calls - 1, more));
        }
        return nesting.depth() == 1 && begins(Part.TAIL, 0);
    }

    private boolean tail(Tools own) {
        cut(nesting.read(kept, 0));
        return nesting.depth() == 0 && begins(tag.isEmpty() ? behind(own) : Part.CLOSE, 0);
    }

    private Part behind(Tools own) {
        return calls == 0 || own.several() ? Part.TEXT : Part.DONE;
    }

    private boolean close(Tools own) {
        int start = 0;
        while (start < kept.length() && BETWEEN.indexOf(kept.charAt(start)) >= 0) {
            start++;
        }
        cut(start);
        if (kept.length() < END.length() && END.startsWith(kept.toString())) {
            return false;
        }
        return begins(behind(own), kept.indexOf(END) == 0 ? END.length() : 0);
    }

    private boolean begins(Part next, int from) {
        cut(from);
        part = next;
        return true;
    }

    private String cut(int length) {
        String text = kept.substring(0, length);
        kept.delete(0, length);
        return text;
    }

    /** A call whose text is at hand. */
    private void whole(Tools own, String text, String otherwise, List<Piece> told) {
        Tools.Call call = own.call(text.strip());
        if (call == null) {
            say(otherwise, told);
        } else {
            begin(call, told);
            told.add(new Piece.Arguments(calls - 1, call.arguments()));
        }
    }

    private void begin(Tools.Call call, List<Piece> told) {
        told.add(new Piece.Begun(calls++, call.id(), call.name()));
        blank.setLength(0);
        saying = false;
    }

    private void say(String text, List<Piece> told) {
        blank.append(text);
        saying |= !text.isBlank();
        if (saying) {
            tell(blank.toString(), told);
            blank.setLength(0);
        }
    }

    private static void tell(String text, List<Piece> told) {
        if (!text.isEmpty()) {
            told.add(new Piece.Said(text));
        }
    }
}
