package dev.graft.serve.http;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.internal.HttpConnection;
import org.eclipse.jetty.util.thread.Scheduler;

/** Closes a connection whose client sends the head of a request byte by byte: no byte comes late, but the head has no end (slowloris). */
final class SlowHeaderGuard implements Connection.Listener {
    private final Scheduler scheduler;
    private final Duration timeout;

    /** @param most how long a head may take; at most twice that is waited */
    SlowHeaderGuard(Scheduler scheduler, Duration most) {
        this.scheduler = scheduler;
        this.timeout = most;
    }

    @Override
    public void onOpened(Connection connection) {
        if (connection instanceof HttpConnection http) {
            watch(http, isBetween(http), http.getMessagesIn(), 0);
        }
    }

    private void watch(HttpConnection http, boolean between, long requests, long bytes) {
        scheduler.schedule(
                () -> {
                    boolean still = isBetween(http);
                    if (between && still && http.getMessagesIn() == requests && http.getBytesIn() > bytes) {
                        http.getEndPoint().close();
                    } else if (http.getEndPoint().isOpen()) {
                        watch(http, still, http.getMessagesIn(), http.getBytesIn());
                    }
                },
                timeout.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    /** Returns whether no request is in progress. */
    private static boolean isBetween(HttpConnection http) {
        return http.getHttpChannel().getRequest() == null;
    }
}
