package dev.graft.serve.engine;

import dev.graft.serve.ServedModel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Calls listeners of texts. */
final class Callbacks {
    private static final Logger LOG = LoggerFactory.getLogger(Callbacks.class);

    private Callbacks() {}

    /** Calls one listener; its exceptions don't affect other texts. */
    static void run(ServedModel model, Runnable word) {
        try {
            word.run();
        } catch (RuntimeException failure) {
            LOG.error("who listens to a text of the adapter {} failed", model.name(), failure);
        }
    }
}
