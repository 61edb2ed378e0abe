package dev.graft.serve;

import java.util.List;

/** Hears what came of texts that are read whole. Called by the engine's thread, so it must not wait for anything. */
public interface EncoderListener {
    /** All texts are read: what {@link EncoderEngine} says of each, in their order. */
    void read(List<float[]> answers);

    /** The texts won't all be read: the engine stops, their time is over, or the model failed. */
    void failed(RuntimeException why);

    /** The engine has let go of the texts and of their adapter, however that ended, cancelled too. Called once, after all else. */
    default void left() {}
}
