package dev.graft.serve;

/** What answers requests over one base in a thread of its own. */
public interface Worker extends AutoCloseable {
    /** How many texts wait. */
    int waiting();

    /** How many texts are worked at. */
    int running();

    /**
     * Finishes what it has, but takes nothing new.
     *
     * @param most how many milliseconds it waits for what is left; 0 for any number
     * @return whether all is done
     */
    boolean drain(long most);

    /** Gives up what it has. */
    @Override
    void close();
}
