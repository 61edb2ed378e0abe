package dev.graft.serve.http;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CancellationException;
import org.eclipse.jetty.io.AbstractEndPoint;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;

/**
 * Notices that a client has closed its connection while it waits for an answer, when nothing is written that would fail. A client that sends
 * its next request before it has the answer to this one isn't waited for: it loses the connection. So the watch must be closed before the
 * last of an answer is sent.
 */
final class ClientWatch implements AutoCloseable {
    private final EndPoint connection;
    private final Runnable onDisconnect;
    private boolean watching;

    ClientWatch(EndPoint connection, Runnable onDisconnect) {
        this.connection = connection;
        this.onDisconnect = onDisconnect;
        this.watching = connection instanceof AbstractEndPoint
                && connection.tryFillInterested(Callback.from(this::readable, failure -> {}));
    }

    private void readable() {
        try {
            ByteBuffer buffer = BufferUtil.allocate(1);
            int filled = connection.fill(buffer);
            if (filled == 0) {
                return;
            }
        } catch (IOException broken) {
            // Broken is as good as closed.
        }
        onDisconnect.run();
        connection.close();
    }

    /** Lets the connection have its next request. */
    @Override
    public synchronized void close() {
        if (watching && connection instanceof AbstractEndPoint endPoint) {
            watching = false;
            endPoint.getFillInterest().onFail(new CancellationException());
        }
    }
}
