package dev.graft.serve;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Those who listen to texts. */
final class Listeners {
    private static final Logger LOG = LoggerFactory.getLogger(Listeners.class);

    private Listeners() {}

    /** Tells one of them; whatever that does, the others' texts go on. */
    static void tell(Served adapter, Runnable word) {
        try {
            word.run();
        } catch (RuntimeException failure) {
            LOG.error("who listens to a text of the adapter {} failed", adapter.name(), failure);
        }
    }
}
