package dev.graft.serve.http;

import dev.graft.formats.InputException;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.net.InetAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/**
 * The address of a server, its clients and its limits.
 *
 * @param host the address to listen at
 * @param port 0 for any free port
 * @param keys API keys; null for a server open to everybody, which only a loopback address allows
 * @param limits bounds of a request
 * @param connections the maximum number of open connections
 * @param tls null for plain HTTP
 * @param audit the log of requests, or null
 */
@RecordBuilder
public record ServerOptions(
        String host,
        int port,
        @Nullable ApiKeys keys,
        Limits limits,
        int connections,
        @Nullable Tls tls,
        @Nullable AuditLog audit)
        implements ServerOptionsBuilder.With {
    /** 127.0.0.1:8000 without keys, open to everybody on this machine. */
    public static final ServerOptions DEFAULT =
            new ServerOptions("127.0.0.1", 8000, null, Limits.DEFAULT, 1024, null, null);

    /** @throws InputException if the address isn't a loopback address and there are no keys */
    public ServerOptions {
        if (keys == null && !isLoopback(host)) {
            throw new InputException("--host " + host + " can be reached from other machines, so it needs keys: make"
                    + " one with --keys FILE --add-key NAME, then start with --keys FILE");
        }
    }

    private static boolean isLoopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException unknown) {
            throw new InputException("--host is " + host + ", which is no address of this machine");
        }
    }
}
