package dev.graft.serve.http;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Authenticates a request, checks its rights and limits, and finds its route. */
final class Router extends Handler.Abstract {
    private static final Logger LOG = LoggerFactory.getLogger(Router.class);
    private static final Set<String> OPEN = Set.of("/health", "/ready");
    private static final Set<String> ADMIN =
            Set.of("POST /v1/load_lora_adapter", "POST /v1/unload_lora_adapter", "POST /lora-adapters");

    private final Map<String, Route> routes;
    private final MissingRoutes missingRoutes;
    private final Metrics metrics;
    private final ServerOptions options;
    private volatile boolean draining;

    Router(Map<String, Route> routes, MissingRoutes missingRoutes, Metrics metrics, ServerOptions options) {
        this.routes = routes;
        this.missingRoutes = missingRoutes;
        this.metrics = metrics;
        this.options = options;
    }

    void drain() {
        draining = true;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        long start = System.nanoTime();
        Exchange exchange = new Exchange(request, response, options.limits(), null);
        Throwable failure = null;
        try {
            String path = exchange.path();
            if (OPEN.contains(path)) {
                requireGet(exchange);
                health(path, exchange);
            } else {
                requireSameOrigin(request);
                ApiKeys.Key key = authenticate(request, response, path);
                exchange = new Exchange(request, response, options.limits(), key);
                if (key != null) {
                    authorize(key, exchange);
                }
                route(exchange).handle(exchange);
            }
        } catch (IOException | RuntimeException | Error wrong) {
            failure = sendError(exchange, wrong);
        }
        recordRequest(request, exchange, failure, System.nanoTime() - start);
        if (failure == null) {
            callback.succeeded();
        } else {
            callback.failed(failure);
        }
        return true;
    }

    private void recordRequest(Request request, Exchange exchange, @Nullable Throwable failure, long nanos) {
        String path = exchange.path();
        int status = failure == null ? exchange.status() : 499;
        boolean known = OPEN.contains(path) || routes.keySet().stream().anyMatch(key -> key.endsWith(" " + path));
        metrics.recordRequest(known ? path : "other", status, nanos);
        if (exchange.adapter() != null) {
            metrics.recordRequest(exchange.model(), exchange.adapter(), status, nanos);
        }
        AuditLog audit = options.audit();
        if (audit != null && !OPEN.contains(path)) {
            audit.write(
                    exchange.keyName(),
                    Request.getRemoteAddr(request),
                    exchange.method(),
                    path,
                    exchange.model(),
                    exchange.adapter(),
                    status,
                    nanos);
        }
    }

    private void health(String path, Exchange exchange) throws IOException {
        boolean well = path.equals("/health") || !draining;
        exchange.send(well ? 200 : 503, "application/json", "{\"status\":\"" + (well ? "ok" : "stopping") + "\"}");
    }

    /** Whose request it is, or null where there are no keys. */
    private ApiKeys.@Nullable Key authenticate(Request request, Response response, String path) {
        ApiKeys keys = options.keys();
        if (keys == null) {
            return null;
        }
        ApiKeys.Key key = find(keys, request.getHeaders().get(HttpHeader.AUTHORIZATION));
        if (key == null) {
            // A browser that opens the page asks for a name, which is ignored, and the key as its password.
            response.getHeaders()
                    .put(HttpHeader.WWW_AUTHENTICATE, path.equals("/") ? "Basic realm=\"Graft\"" : "Bearer");
            throw new ApiError(
                    401,
                    "authentication_error",
                    "invalid_api_key",
                    "the request has no valid key; send Authorization: Bearer KEY");
        }
        return key;
    }

    /** Refuses what a key has no right to, and what is beyond its rate. */
    private static void authorize(ApiKeys.Key key, Exchange exchange) {
        if (ADMIN.contains(exchange.method() + " " + exchange.path()) && key.right() != ApiKeys.Right.ADMIN) {
            throw new ApiError(403, "permission_error", "admin_needed", "this needs a key with the right admin");
        }
        long early = key.rateLimiter().acquire(System.nanoTime());
        if (early > 0) {
            exchange.setHeader("Retry-After", Long.toString(early));
            throw new ApiError(
                    429, "rate_limit_error", "rate_limit_exceeded", "the key's requests a minute are used up");
        }
    }

    private static ApiKeys.@Nullable Key find(ApiKeys keys, @Nullable String header) {
        if (header != null && header.startsWith("Bearer ")) {
            return keys.find(header.substring(7).strip());
        }
        if (header != null && header.startsWith("Basic ")) {
            try {
                String pair = new String(
                        Base64.getDecoder().decode(header.substring(6).strip()), StandardCharsets.UTF_8);
                return keys.find(pair.substring(pair.indexOf(':') + 1));
            } catch (IllegalArgumentException notBase64) {
                return null;
            }
        }
        return null;
    }

    /** Refuses what another site's page sends, and what reaches a local server under another site's name. */
    private void requireSameOrigin(Request request) {
        String host = Request.getServerName(request);
        if (options.keys() == null && !isLocal(host)) {
            throw new ApiError(
                    403,
                    "permission_error",
                    "host",
                    "the Host isn't this machine's; without keys only local names are served");
        }
        String origin = request.getHeaders().get(HttpHeader.ORIGIN);
        String own = request.getHeaders().get(HttpHeader.HOST);
        if (origin != null && !origin.equals("http://" + own) && !origin.equals("https://" + own)) {
            throw new ApiError(403, "permission_error", "origin", "pages of other sites may not use this server");
        }
    }

    private static boolean isLocal(@Nullable String host) {
        if (host == null || host.equals("localhost")) {
            return host != null;
        }
        if (!host.matches("[0-9.]+|\\[?[0-9a-fA-F:]+]?")) {
            return false;
        }
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException notAnAddress) {
            return false;
        }
    }

    /** Returns the route of a request; HEAD is a GET whose body isn't sent. */
    private Route route(Exchange exchange) {
        String path = exchange.path();
        String known = path.startsWith("/v1/models/") ? "/v1/models" : path;
        String method = exchange.method();
        Route route = routes.get((method.equals("HEAD") ? "GET" : method) + " " + known);
        if (route != null) {
            return route;
        }
        String allowed = Stream.of("GET", "POST")
                .filter(other -> routes.containsKey(other + " " + known))
                .map(other -> other.equals("GET") ? "GET, HEAD" : other)
                .collect(Collectors.joining(", "));
        if (allowed.isEmpty()) {
            throw missingRoutes.notFound(path);
        }
        throw notAllowed(exchange, allowed);
    }

    private static void requireGet(Exchange exchange) {
        if (!exchange.method().equals("GET") && !exchange.method().equals("HEAD")) {
            throw notAllowed(exchange, "GET, HEAD");
        }
    }

    private static ApiError notAllowed(Exchange exchange, String allowed) {
        exchange.setHeader("Allow", allowed);
        return new ApiError(
                405,
                "invalid_request_error",
                "method_not_allowed",
                exchange.path() + " takes " + allowed + " and not " + exchange.method());
    }

    /** Tells a client why it gets no answer; returns what the connection can't go on with. */
    private @Nullable Throwable sendError(Exchange exchange, Throwable failure) {
        ApiError error = ApiError.of(failure);
        if (failure instanceof IOException || exchange.isCommitted()) {
            return failure;
        }
        if (error.status() == 500) {
            LOG.error("{} {} failed", exchange.method(), exchange.path(), failure);
        }
        if (error.isQueueFull()) {
            exchange.setHeader("Retry-After", "1");
        }
        try {
            exchange.sendJson(error.status(), error.json());
            return null;
        } catch (IOException gone) {
            return gone;
        }
    }

    /** Returns the handler that answers malformed requests in the same form. */
    Request.Handler errors() {
        return (request, response, callback) -> {
            int status = response.getStatus() < 400 ? 400 : response.getStatus();
            ApiError error = new ApiError(status, "invalid_request_error", null, HttpStatus.getMessage(status));
            try {
                new Exchange(request, response, options.limits(), null).sendJson(status, error.json());
                callback.succeeded();
            } catch (IOException gone) {
                callback.failed(gone);
            }
            return true;
        };
    }
}
