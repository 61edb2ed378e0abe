package dev.graft.cli.inspect;

/** What {@code graft inspect} prints. */
interface View {
    /** For a person, each line ended. */
    String text();

    /** For a program. */
    String json();
}
