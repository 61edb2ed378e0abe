package dev.graft.serve;

/** Changes what a text may go on with. Used by one thread. */
public interface Steering {
    /** Changes the logits of the next token. */
    void steer(float[] logits);

    /** Says which token was chosen. */
    void took(int id);
}
