package dev.graft.serve.http;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Chat;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.Adapters;
import dev.graft.serve.EncoderEngine;
import dev.graft.serve.Engine;
import dev.graft.serve.Worker;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpCompliance;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.server.handler.MinimumDataRateHandler;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.jspecify.annotations.Nullable;

/**
 * A server of one base with many adapters.
 *
 * <pre>{@code
 * try (Server server = Server.texts(engine, adapters, chat, metrics, Server.Options.DEFAULT)) {
 *     System.out.println(server.address());
 *     server.join();
 * }
 * }</pre>
 */
public final class Server implements AutoCloseable {
    /** How long what is being answered may take once the server is to stop. */
    private static final long GRACE_MILLISECONDS = 20_000;

    /** How long the writing of what has been answered may then take. */
    private static final long WRITE_MILLISECONDS = 2_000;

    /** Bytes a second that a client must send of its body. */
    private static final long SLOWEST_CLIENT = 64;

    private final org.eclipse.jetty.server.Server jetty;
    private final ServerConnector connector;
    private final Router router;
    private final GracefulHandler requests;
    private final Worker worker;
    private final boolean secure;

    /**
     * Where and for whom it serves.
     *
     * @param host the address to listen at
     * @param port 0 for any free one
     * @param keys who may use it; null for everybody, which only a loopback address allows
     * @param connections how many it has at once
     * @param tls null for plain HTTP
     * @param audit where requests are written down; null for nowhere
     */
    public record Options(
            String host,
            int port,
            @Nullable Keys keys,
            Limits limits,
            int connections,
            @Nullable Tls tls,
            @Nullable AuditLog audit) {
        /** 127.0.0.1:8000, for everybody on this machine. */
        public static final Options DEFAULT = new Options("127.0.0.1", 8000, null, Limits.DEFAULT, 1024, null, null);

        /** @throws InputException if it would be open to everybody on the network */
        public Options {
            if (keys == null && !isLoopback(host)) {
                throw new InputException(
                        "--host " + host + " can be reached from other machines, so it needs keys: make"
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

    private Server(
            org.eclipse.jetty.server.Server jetty,
            ServerConnector connector,
            Router router,
            GracefulHandler requests,
            Worker worker,
            boolean secure) {
        this.jetty = jetty;
        this.connector = connector;
        this.router = router;
        this.requests = requests;
        this.worker = worker;
        this.secure = secure;
    }

    /**
     * Serves a base that continues texts.
     *
     * @param chat null where the base has no chat template
     * @throws IOException if it can't listen there
     */
    public static Server texts(Engine engine, Adapters adapters, @Nullable Chat chat, Metrics metrics, Options options)
            throws IOException {
        Tokenizer tokenizer = adapters.base().tokenizer();
        Map<String, Route> routes = new LinkedHashMap<>();
        routes.put("POST /v1/completions", new Texts(Shape.TEXT, engine, adapters, tokenizer, null));
        if (chat != null) {
            routes.put("POST /v1/chat/completions", new Texts(Shape.CHAT, engine, adapters, tokenizer, chat));
        }
        return start(routes, engine, adapters, metrics, options);
    }

    /**
     * Serves a base that reads whole texts: its embeddings, labels or labels of tokens, as its head gives them.
     *
     * @throws IOException if it can't listen there
     */
    public static Server encoder(EncoderEngine engine, Adapters adapters, Metrics metrics, Options options)
            throws IOException {
        Encoders.Kind kind = Encoders.Kind.of(adapters.base().task());
        Map<String, Route> routes = new LinkedHashMap<>();
        routes.put(
                "POST " + kind.path(),
                new Encoders(kind, engine, adapters, adapters.base().tokenizer()));
        return start(routes, engine, adapters, metrics, options);
    }

    private static Server start(
            Map<String, Route> routes, Worker worker, Adapters adapters, Metrics metrics, Options options)
            throws IOException {
        OtherRoutes others = new OtherRoutes(
                adapters.baseName(),
                adapters.base().task(),
                routes.keySet().stream()
                        .map(route -> route.substring(route.indexOf(' ') + 1))
                        .toList());
        routes.put("GET /v1/models", new Models(adapters));
        routes.put("POST /v1/load_lora_adapter", new LoadAdapter(adapters, true));
        routes.put("POST /v1/unload_lora_adapter", new LoadAdapter(adapters, false));
        LoraAdapters strengths = new LoraAdapters(adapters);
        routes.put("GET /lora-adapters", strengths);
        routes.put("POST /lora-adapters", strengths);
        routes.put("GET /metrics", metrics::answer);
        Page.addTo(routes);
        metrics.watch(worker, adapters);
        Router router = new Router(routes, others, metrics, options);

        QueuedThreadPool threads = new QueuedThreadPool(options.connections() + 8, 8);
        threads.setName("graft-http");
        org.eclipse.jetty.server.Server jetty = new org.eclipse.jetty.server.Server(threads);
        HttpConfiguration http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.setRequestHeaderSize(16 << 10);
        http.setHttpCompliance(HttpCompliance.RFC9110);
        http.setUriCompliance(UriCompliance.DEFAULT);
        // There is one certificate, and whether it fits is for the client to check: it may have come by an address or a
        // proxy.
        http.addCustomizer(new SecureRequestCustomizer(false));
        HttpConnectionFactory plain = new HttpConnectionFactory(http);
        ServerConnector connector = options.tls() == null
                ? new ServerConnector(jetty, 1, 1, plain)
                : new ServerConnector(jetty, options.tls().context(), plain);
        connector.setHost(options.host());
        connector.setPort(options.port());
        connector.setIdleTimeout(options.limits().idle().toMillis());
        connector.addEventListener(
                new SlowHeads(connector.getScheduler(), options.limits().idle()));
        jetty.addConnector(connector);
        jetty.addBean(new NetworkConnectionLimit(options.connections(), jetty));
        GracefulHandler requests = new GracefulHandler(new MinimumDataRateHandler(router, SLOWEST_CLIENT, 0));
        jetty.setHandler(requests);
        jetty.setErrorHandler(router.errors());
        try {
            jetty.start();
        } catch (IOException unavailable) {
            throw unavailable;
        } catch (Exception failure) {
            throw new IOException(failure.getMessage(), failure);
        }
        return new Server(jetty, connector, router, requests, worker, options.tls() != null);
    }

    /** Where it can be reached, such as {@code http://127.0.0.1:8000}. */
    public URI address() {
        String host = connector.getHost();
        return URI.create((secure ? "https://" : "http://") + (host.contains(":") ? "[" + host + "]" : host) + ":"
                + connector.getLocalPort());
    }

    /** Waits until it is closed. */
    public void join() throws InterruptedException {
        jetty.join();
    }

    /** Takes no new requests, finishes those that it has, and stops. */
    @Override
    public void close() {
        router.drain();
        if (!worker.drain(GRACE_MILLISECONDS)) {
            worker.close();
        }
        try {
            requests.shutdown()
                    .completeOnTimeout(null, WRITE_MILLISECONDS, TimeUnit.MILLISECONDS)
                    .join();
            jetty.stop();
        } catch (Exception failure) {
            throw new IllegalStateException("the server didn't stop: " + failure.getMessage(), failure);
        }
    }
}
