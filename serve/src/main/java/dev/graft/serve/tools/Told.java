package dev.graft.serve.tools;

import java.util.ArrayList;
import java.util.List;

/** A whole answer: what is said, and the calls. */
public record Told(String said, List<Tools.Call> calls) {
    /** What these pieces are together. */
    public static Told of(List<Piece> pieces) {
        StringBuilder said = new StringBuilder();
        List<Tools.Call> calls = new ArrayList<>();
        for (Piece piece : pieces) {
            if (piece instanceof Piece.Said more) {
                said.append(more.text());
            } else if (piece instanceof Piece.Begun call) {
                calls.add(new Tools.Call(call.id(), call.name(), ""));
            } else if (piece instanceof Piece.Arguments more) {
                Tools.Call call = calls.get(more.index());
                calls.set(more.index(), new Tools.Call(call.id(), call.name(), call.arguments() + more.text()));
            }
        }
        return new Told(said.toString(), List.copyOf(calls));
    }
}
