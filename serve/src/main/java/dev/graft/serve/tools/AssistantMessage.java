package dev.graft.serve.tools;

import java.util.ArrayList;
import java.util.List;

/** A complete answer: its text and its tool calls. */
public record AssistantMessage(String content, List<Tools.ToolCall> toolCalls) {
    /** Joins deltas into a message. */
    public static AssistantMessage of(List<MessageDelta> pieces) {
        StringBuilder said = new StringBuilder();
        List<Tools.ToolCall> calls = new ArrayList<>();
        for (MessageDelta messageDelta : pieces) {
            if (messageDelta instanceof MessageDelta.TextDelta more) {
                said.append(more.text());
            } else if (messageDelta instanceof MessageDelta.ToolCallStart call) {
                calls.add(new Tools.ToolCall(call.id(), call.name(), ""));
            } else if (messageDelta instanceof MessageDelta.ToolCallArguments more) {
                Tools.ToolCall call = calls.get(more.index());
                calls.set(more.index(), new Tools.ToolCall(call.id(), call.name(), call.arguments() + more.text()));
            }
        }
        return new AssistantMessage(said.toString(), List.copyOf(calls));
    }
}
