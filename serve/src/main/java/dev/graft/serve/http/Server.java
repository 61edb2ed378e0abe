package dev.graft.serve.http;

import dev.graft.models.chat.Chat;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.InferenceEngine;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.EncodeKind;
import dev.graft.serve.engine.EncoderEngine;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.net.URI;
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
 * An OpenAI-compatible HTTP server for one base with many adapters.
 *
 * <pre>{@code
 * try (Server server = Server.forGeneration(engine, adapters, chat, metrics, ServerOptions.DEFAULT)) {
 *     System.out.println(server.address());
 *     server.join();
 * }
 * }</pre>
 */
public final class Server implements AutoCloseable {
    /** Time for running requests after the server begins to stop. */
    private static final long GRACE_MILLISECONDS = 20_000;

    /** Time for writing the last responses after that. */
    private static final long WRITE_MILLISECONDS = 2_000;

    /** Bytes a second that a client must send of its body. */
    private static final long SLOWEST_CLIENT = 64;

    private final org.eclipse.jetty.server.Server jetty;
    private final ServerConnector connector;
    private final Router router;
    private final GracefulHandler requests;
    private final InferenceEngine inferenceEngine;
    private final boolean secure;

    private Server(
            org.eclipse.jetty.server.Server jetty,
            ServerConnector connector,
            Router router,
            GracefulHandler requests,
            InferenceEngine inferenceEngine,
            boolean secure) {
        this.jetty = jetty;
        this.connector = connector;
        this.router = router;
        this.requests = requests;
        this.inferenceEngine = inferenceEngine;
        this.secure = secure;
    }

    /**
     * Starts a server for a base that generates texts.
     *
     * @param chat the chat template; null if the base has none
     * @throws IOException if it can't listen at the address
     */
    public static Server forGeneration(
            Engine engine, Adapters adapters, @Nullable Chat chat, Metrics metrics, ServerOptions options)
            throws IOException {
        Tokenizer tokenizer = adapters.base().tokenizer();
        Map<String, Route> routes = new LinkedHashMap<>();
        routes.put("POST /v1/completions", new CompletionsRoute(CompletionApi.TEXT, engine, adapters, tokenizer, null));
        if (chat != null) {
            routes.put(
                    "POST /v1/chat/completions",
                    new CompletionsRoute(CompletionApi.CHAT, engine, adapters, tokenizer, chat));
        }
        return start(routes, engine, adapters, metrics, options);
    }

    /**
     * Starts a server for a base that embeds or classifies texts or tokens, according to its head.
     *
     * @throws IOException if it can't listen at the address
     */
    public static Server forEncoder(EncoderEngine engine, Adapters adapters, Metrics metrics, ServerOptions options)
            throws IOException {
        EncodeKind kind = EncodeKind.of(adapters.base().task()).orElseThrow();
        Map<String, Route> routes = new LinkedHashMap<>();
        routes.put(
                "POST " + kind.path(),
                new EncodeRoute(kind, engine, adapters, adapters.base().tokenizer()));
        return start(routes, engine, adapters, metrics, options);
    }

    private static Server start(
            Map<String, Route> routes,
            InferenceEngine inferenceEngine,
            Adapters adapters,
            Metrics metrics,
            ServerOptions options)
            throws IOException {
        MissingRoutes missingRoutes = new MissingRoutes(
                adapters.baseName(),
                adapters.base().task(),
                routes.keySet().stream()
                        .map(route -> route.substring(route.indexOf(' ') + 1))
                        .toList());
        routes.put("GET /v1/models", new ModelsRoute(adapters));
        routes.put("POST /v1/load_lora_adapter", new LoadAdapterRoute(adapters, true));
        routes.put("POST /v1/unload_lora_adapter", new LoadAdapterRoute(adapters, false));
        LoraAdaptersRoute strengths = new LoraAdaptersRoute(adapters);
        routes.put("GET /lora-adapters", strengths);
        routes.put("POST /lora-adapters", strengths);
        routes.put("GET /metrics", metrics::handle);
        WebPageRoute.addTo(routes);
        metrics.addGauges(inferenceEngine, adapters);
        Router router = new Router(routes, missingRoutes, metrics, options);

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
        connector.setIdleTimeout(options.limits().idleTimeout().toMillis());
        connector.addEventListener(
                new SlowHeaderGuard(connector.getScheduler(), options.limits().idleTimeout()));
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
        return new Server(jetty, connector, router, requests, inferenceEngine, options.tls() != null);
    }

    /** Returns the URL of the server, such as {@code http://127.0.0.1:8000}. */
    public URI address() {
        String host = connector.getHost();
        return URI.create((secure ? "https://" : "http://") + (host.contains(":") ? "[" + host + "]" : host) + ":"
                + connector.getLocalPort());
    }

    /** Waits until the server is closed. */
    public void join() throws InterruptedException {
        jetty.join();
    }

    /** Stops accepting requests, finishes the pending ones, and stops. */
    @Override
    public void close() {
        router.drain();
        if (!inferenceEngine.drain(GRACE_MILLISECONDS)) {
            inferenceEngine.close();
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
