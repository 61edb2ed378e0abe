package dev.graft.cli.inspect;

/** The output of {@code graft inspect}. */
interface View {
    /** The output for a person, each line ended. */
    String text();

    /** The output for a program. */
    String json();
}
