package dev.graft.serve;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Hears what came of texts that are read whole. Called by the engine's thread, so it must not wait for anything. */
public interface EncoderListener {
    /** All texts are read: what {@link EncoderEngine} says of each, in their order. */
    void read(List<float[]> answers);

    /** The texts won't all be read: the engine stops, their time is over, or the model failed. */
    void failed(RuntimeException why);

    /** The engine has let go of the texts and of their adapter, however that ended, cancelled too. Called once, after all else. */
    default void left() {}

    /** One that completes a future with what it hears, and closes the adapter's lease when the texts leave. */
    static EncoderListener completing(CompletableFuture<List<float[]>> answers, Adapters.Lease lease) {
        return new EncoderListener() {
            @Override
            public void read(List<float[]> all) {
                answers.complete(all);
            }

            @Override
            public void failed(RuntimeException why) {
                answers.completeExceptionally(why);
            }

            @Override
            public void left() {
                lease.close();
            }
        };
    }
}
