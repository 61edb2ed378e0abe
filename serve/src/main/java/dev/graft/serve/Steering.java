package dev.graft.serve;

/** Changes what a text may go on with. Used by one thread. */
public interface Steering {
    /** Changes the logits of the next token. */
    void steer(float[] logits);

    /** Says which token was chosen. */
    void took(int id);

    /** One after the other; the second has the last word. */
    static Steering both(Steering first, Steering second) {
        return new Steering() {
            @Override
            public void steer(float[] logits) {
                first.steer(logits);
                second.steer(logits);
            }

            @Override
            public void took(int id) {
                first.took(id);
                second.took(id);
            }
        };
    }
}
