package dev.graft.serve.tools;

/** A piece of an answer as it grows: what is said, or a part of a call. */
public sealed interface Piece {
    record Said(String text) implements Piece {}

    /**
     * A call begins, whose arguments follow.
     *
     * @param index among the calls of the answer, from 0
     */
    record Begun(int index, String id, String name) implements Piece {}

    /** More of a call's arguments. */
    record Arguments(int index, String text) implements Piece {}
}
