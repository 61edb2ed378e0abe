package dev.graft.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A server that answers as huggingface.co does, with one commit a repository: small files from the hub itself, large ones by a
 * redirect to a store on another port. It can refuse, drop, stall and lie, and remembers what it was asked.
 */
final class LocalHub implements AutoCloseable {
    record Request(String server, String method, String path, String authorization, String range) {}

    record Fault(int status, Map<String, String> headers) {}

    static final class Repository {
        final String commit;
        final Map<String, byte[]> files = new LinkedHashMap<>();
        final Map<String, byte[]> large = new LinkedHashMap<>();
        final Map<String, String> moved = new LinkedHashMap<>();
        boolean gated;
        String readToken = "";

        Repository(String commit) {
            this.commit = commit;
        }

        Repository file(String name, String content) {
            files.put(name, content.getBytes(StandardCharsets.UTF_8));
            return this;
        }

        Repository large(String name, byte[] content) {
            files.put(name, content);
            large.put(name, content);
            return this;
        }
    }

    final List<Request> requests = Collections.synchronizedList(new ArrayList<>());
    final Map<String, Repository> repositories = new ConcurrentHashMap<>();
    /** The next requests of any kind fail so, in this order. */
    final Deque<Fault> faults = new ArrayDeque<>();
    /** The next bodies of large files end after so many bytes, in this order. */
    final Deque<Integer> drops = new ArrayDeque<>();
    /** The next bodies of large files stop there for this long instead of ending. */
    volatile long stallMillis;
    /** The first so many bytes of a large file are other bytes than they should be. */
    volatile int corrupt;

    volatile boolean ignoreRange;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpServer hub = start("hub");
    private final HttpServer store = start("store");

    private HttpServer start(String name) {
        try {
            HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.setExecutor(threads);
            server.createContext("/", exchange -> {
                try (exchange) {
                    requests.add(new Request(
                            name,
                            exchange.getRequestMethod(),
                            exchange.getRequestURI().getRawPath(),
                            Objects.requireNonNullElse(
                                    exchange.getRequestHeaders().getFirst("Authorization"), ""),
                            Objects.requireNonNullElse(
                                    exchange.getRequestHeaders().getFirst("Range"), "")));
                    handle(name, exchange);
                }
            });
            server.start();
            return server;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String endpoint() {
        return "http://127.0.0.1:" + hub.getAddress().getPort();
    }

    Repository add(String name, String commit) {
        Repository repository = new Repository(commit);
        repositories.put(name, repository);
        return repository;
    }

    /** The requests for which the hub or the store had to send or describe a file. */
    List<String> paths() {
        synchronized (requests) {
            return requests.stream()
                    .map(request -> request.method() + " " + request.path())
                    .toList();
        }
    }

    private void handle(String server, HttpExchange exchange) throws IOException {
        Fault fault;
        synchronized (faults) {
            fault = faults.poll();
        }
        if (fault != null) {
            fault.headers()
                    .forEach((name, value) -> exchange.getResponseHeaders().set(name, value));
            exchange.sendResponseHeaders(fault.status(), -1);
        } else if (server.equals("store")) {
            String[] parts = exchange.getRequestURI().getPath().substring(1).split("!");
            send(exchange, repositories.get(parts[0]).large.get(parts[1]));
        } else if (exchange.getRequestURI().getPath().startsWith("/api/models/")) {
            api(exchange);
        } else {
            resolve(exchange);
        }
    }

    private void api(HttpExchange exchange) throws IOException {
        String[] parts = exchange.getRequestURI()
                .getRawPath()
                .substring("/api/models/".length())
                .split("/");
        Repository repository = repository(exchange, parts[0] + "/" + parts[1]);
        if (repository == null) {
            return;
        }
        String kind = parts.length > 2 ? parts[2] : "revision";
        String revision = parts.length > 3 ? parts[3] : "main";
        if (!revision.equals("main") && !revision.equals("release%2F1") && !revision.equals(repository.commit)) {
            error(exchange, 404, "RevisionNotFound", "Invalid rev id: " + revision);
            return;
        }
        String body = kind.equals("tree")
                ? list(
                        repository,
                        (name, content) -> "{\"type\":\"file\",\"path\":\"" + name + "\",\"size\":" + content.length
                                + ",\"oid\":\""
                                + gitSha1(content) + "\""
                                + (repository.large.containsKey(name)
                                        ? ",\"lfs\":{\"oid\":\"" + sha256(content) + "\",\"size\":" + content.length
                                                + ",\"pointerSize\":130}"
                                        : "")
                                + "}")
                : "{\"id\":\"" + parts[0] + "/" + parts[1] + "\",\"sha\":\"" + repository.commit + "\",\"siblings\":"
                        + list(repository, (name, content) -> "{\"rfilename\":\"" + name + "\"}") + "}";
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(200, body.length());
        exchange.getResponseBody().write(body.getBytes(StandardCharsets.UTF_8));
    }

    private interface Item {
        String of(String name, byte[] content);
    }

    private static String list(Repository repository, Item item) {
        return "["
                + String.join(
                        ",",
                        repository.files.entrySet().stream()
                                .map(file -> item.of(file.getKey(), file.getValue()))
                                .toList())
                + "]";
    }

    private void resolve(HttpExchange exchange) throws IOException {
        String[] parts = exchange.getRequestURI().getPath().substring(1).split("/", 5);
        Repository repository = repository(exchange, parts[0] + "/" + parts[1]);
        if (repository == null) {
            return;
        }
        String name = parts[4];
        byte[] content = repository.files.get(name);
        exchange.getResponseHeaders().set("X-Repo-Commit", repository.commit);
        if (content == null) {
            error(exchange, 404, "EntryNotFound", "Entry not found");
        } else if (repository.moved.containsKey(name)) {
            exchange.getResponseHeaders().set("Location", repository.moved.get(name));
            exchange.sendResponseHeaders(307, -1);
        } else if (repository.large.containsKey(name)) {
            exchange.getResponseHeaders().set("X-Linked-Etag", '"' + sha256(content) + '"');
            exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(content.length));
            exchange.getResponseHeaders().set("ETag", "\"of-the-pointer\"");
            exchange.getResponseHeaders()
                    .set(
                            "Location",
                            "http://127.0.0.1:" + store.getAddress().getPort() + "/" + parts[0] + "/" + parts[1] + "!"
                                    + name);
            exchange.sendResponseHeaders(302, -1);
        } else {
            exchange.getResponseHeaders().set("ETag", '"' + gitSha1(content) + '"');
            send(exchange, content);
        }
    }

    private Repository repository(HttpExchange exchange, String name) throws IOException {
        Repository repository = repositories.get(name);
        String authorization = exchange.getRequestHeaders().getFirst("Authorization");
        if (repository == null) {
            error(exchange, authorization == null ? 401 : 404, "RepoNotFound", "Repository not found");
            return null;
        }
        if (!repository.readToken.isEmpty()
                && authorization != null
                && !authorization.equals("Bearer " + repository.readToken)) {
            error(exchange, 401, "", "Invalid credentials in Authorization header");
            return null;
        }
        if (repository.gated && authorization == null) {
            error(exchange, 401, "GatedRepo", "Access to model " + name + " is restricted");
            return null;
        }
        return repository;
    }

    private static void error(HttpExchange exchange, int status, String code, String message) throws IOException {
        if (!code.isEmpty()) {
            exchange.getResponseHeaders().set("X-Error-Code", code);
        }
        exchange.getResponseHeaders().set("X-Error-Message", message);
        exchange.sendResponseHeaders(status, -1);
    }

    private void send(HttpExchange exchange, byte[] content) throws IOException {
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", String.valueOf(content.length));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = 0;
        if (range != null && !ignoreRange) {
            from = Integer.parseInt(range.replaceAll("bytes=(\\d+)-", "$1"));
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
        }
        byte[] rest = java.util.Arrays.copyOfRange(content, from, content.length);
        for (int i = from; i < corrupt; i++) {
            rest[i - from] ^= 1;
        }
        Integer drop;
        synchronized (drops) {
            drop = drops.poll();
        }
        exchange.sendResponseHeaders(range != null && !ignoreRange ? 206 : 200, rest.length == 0 ? -1 : rest.length);
        OutputStream out = exchange.getResponseBody();
        out.write(rest, 0, drop == null ? rest.length : Math.min(drop, rest.length));
        out.flush();
        if (drop != null) {
            sleep(stallMillis);
        }
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static String sha256(byte[] content) {
        return digest("SHA-256", content);
    }

    static String gitSha1(byte[] content) {
        byte[] header = ("blob " + content.length + "\0").getBytes(StandardCharsets.US_ASCII);
        byte[] all = java.util.Arrays.copyOf(header, header.length + content.length);
        System.arraycopy(content, 0, all, header.length, content.length);
        return digest("SHA-1", all);
    }

    private static String digest(String algorithm, byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    URI storeUri() {
        return URI.create("http://127.0.0.1:" + store.getAddress().getPort());
    }

    @Override
    public void close() {
        hub.stop(0);
        store.stop(0);
        threads.shutdownNow();
    }
}
