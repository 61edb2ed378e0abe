package dev.graft.serve.tools;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A text as it grows, of which a part may be calls of functions: what is certain to be said is told, what may be a call is kept. */
public final class ToolText {
    private static final String END = "</tool_call>";

    private final @Nullable Tools tools;
    private final StringBuilder kept = new StringBuilder();
    private boolean said;

    /** What it ends with. */
    public record Rest(String said, List<Tools.Call> calls) {}

    /** @param tools null where nothing can be called */
    public ToolText(@Nullable Tools tools) {
        this.tools = tools;
    }

    /** Takes more of the text; returns what is certain to be said. */
    public String take(String piece) {
        if (tools == null) {
            return piece;
        }
        kept.append(piece);
        int certain = certain(tools);
        String told = kept.substring(0, certain);
        kept.delete(0, certain);
        said |= !told.isBlank();
        return told;
    }

    private int certain(Tools own) {
        String tag = own.form().tag;
        if (own.areForced()) {
            return 0;
        }
        if (tag.isEmpty()) {
            String text = kept.toString().stripLeading();
            return !said && (text.isEmpty() || text.startsWith("{")) ? 0 : kept.length();
        }
        int call = kept.indexOf(tag);
        if (call >= 0) {
            return call;
        }
        int open = Math.min(tag.length() - 1, kept.length());
        while (!tag.startsWith(kept.substring(kept.length() - open))) {
            open--;
        }
        return kept.length() - open;
    }

    /** The end of the text. What looks like a call, but is none, is said. */
    public Rest end() {
        String text = kept.toString();
        kept.setLength(0);
        if (tools == null || text.isBlank()) {
            return new Rest(text, List.of());
        }
        String tag = tools.form().tag;
        List<Tools.Call> calls = new ArrayList<>();
        StringBuilder rest = new StringBuilder();
        if (tag.isEmpty() || tools.areForced()) {
            add(text, calls, rest);
        } else {
            int from = 0;
            for (int start = text.indexOf(tag); start >= 0; start = text.indexOf(tag, from)) {
                rest.append(text, from, start);
                int stop = text.indexOf(END, start);
                int end = stop < 0 ? text.length() : stop + END.length();
                if (!add(text.substring(start + tag.length(), stop < 0 ? end : stop), calls, null)) {
                    rest.append(text, start, end);
                }
                from = end;
            }
            rest.append(text.substring(from));
        }
        return new Rest(calls.isEmpty() || !rest.toString().isBlank() ? rest.toString() : "", List.copyOf(calls));
    }

    private boolean add(String text, List<Tools.Call> calls, @Nullable StringBuilder orElse) {
        Tools.Call call = tools == null ? null : tools.call(text.strip());
        if (call != null) {
            calls.add(call);
        } else if (orElse != null) {
            orElse.append(text);
        }
        return call != null;
    }
}
