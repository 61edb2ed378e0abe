package dev.graft.serve.tools;

/** A part of a streamed answer: text, or a part of a tool call. */
public sealed interface MessageDelta {
    record TextDelta(String text) implements MessageDelta {}

    /**
     * The start of a call; its arguments follow.
     *
     * @param index the index among the calls of the answer, from 0
     */
    record ToolCallStart(int index, String id, String name) implements MessageDelta {}

    /** A part of a call's arguments. */
    record ToolCallArguments(int index, String text) implements MessageDelta {}
}
