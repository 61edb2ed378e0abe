package dev.graft.hub;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Requests to the hub at {@code HF_ENDPOINT}. The token is sent to that origin only, transient failures are retried, and refusals become messages
 * that say what to do.
 */
final class HfHttp {
    private static final int ATTEMPTS = 5;
    private static final int MAX_REDIRECTS = 10;
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(5);
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    private static final Set<Integer> TRANSIENT = Set.of(408, 429, 500, 502, 503, 504);

    private final HttpClient client;
    private final URI endpoint;
    private final Optional<String> token;
    private final Duration timeout;
    private final Duration firstWait;

    /** @param firstWait the wait before the second attempt; doubles with each further one */
    HfHttp(HubEnvironment environment, Duration firstWait) {
        this.endpoint = endpoint(environment);
        this.token = token(environment);
        this.timeout = Duration.ofSeconds(seconds(environment, "HF_HUB_DOWNLOAD_TIMEOUT", 10));
        this.firstWait = firstWait;
        this.client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(timeout)
                .proxy(new EnvironmentProxy(environment))
                .build();
    }

    /** The longest time without data on a connection. */
    Duration timeout() {
        return timeout;
    }

    URI uri(String pathAndQuery) {
        return URI.create(endpoint + pathAndQuery);
    }

    /** GET, following redirects anywhere. */
    HttpResponse<InputStream> get(RemoteFile remoteFile, URI uri, Map<String, String> headers) {
        return send(remoteFile, "GET", uri, headers, true);
    }

    /**
     * HEAD, following redirects within the hub only: a redirect to a store elsewhere itself carries the file's metadata.
     */
    HttpResponse<InputStream> head(RemoteFile remoteFile, URI uri) {
        return send(remoteFile, "HEAD", uri, Map.of("Accept-Encoding", "identity"), false);
    }

    /** The requested file, for messages. */
    record RemoteFile(String repository, String revision, String file) {
        @Override
        public String toString() {
            return "hf:" + repository + (revision.equals("main") ? "" : "@" + revision)
                    + (file.isEmpty() ? "" : " " + file);
        }
    }

    private HttpResponse<InputStream> send(
            RemoteFile remoteFile, String method, URI uri, Map<String, String> headers, boolean anywhere) {
        for (int attempt = 1; ; attempt++) {
            Duration wait = firstWait.multipliedBy(1L << (attempt - 1));
            try {
                HttpResponse<InputStream> response = follow(remoteFile, method, uri, headers, anywhere);
                int status = response.statusCode();
                if (status < 400) {
                    return response;
                }
                if (!TRANSIENT.contains(status) || attempt == ATTEMPTS) {
                    throw refusal(remoteFile, response, attempt);
                }
                response.body().close();
                wait = retryAfter(response).orElse(wait);
                if (wait.compareTo(LONGEST_WAIT) > 0) {
                    throw new FetchException(remoteFile + ": " + endpoint.getHost() + " answered " + status
                            + " and asks to wait " + wait.toSeconds() + " s; try again then");
                }
            } catch (IOException e) {
                if (attempt == ATTEMPTS) {
                    throw new UnreachableException(remoteFile, endpoint, e);
                }
            }
            sleep(wait);
        }
    }

    /** The hub did not answer at all, so a cached copy may be used. */
    static final class UnreachableException extends UncheckedIOException {
        UnreachableException(RemoteFile remoteFile, URI endpoint, IOException e) {
            super(
                    remoteFile + ": cannot reach " + endpoint + " (" + e
                            + "). Check the network, HTTPS_PROXY and HF_ENDPOINT.",
                    e);
        }
    }

    private HttpResponse<InputStream> follow(
            RemoteFile remoteFile, String method, URI from, Map<String, String> headers, boolean anywhere)
            throws IOException {
        URI uri = from;
        for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                    .method(method, HttpRequest.BodyPublishers.noBody())
                    .timeout(timeout.plusSeconds(20))
                    .header("User-Agent", "graft; java/" + Runtime.version().feature());
            headers.forEach(request::header);
            if (token.isPresent() && sameOrigin(uri, endpoint)) {
                request.header("Authorization", "Bearer " + token.get());
            }
            HttpResponse<InputStream> response = sendOnce(remoteFile, request.build());
            Optional<String> location = response.headers().firstValue("Location");
            if (!REDIRECTS.contains(response.statusCode()) || location.isEmpty()) {
                return response;
            }
            URI next = redirect(remoteFile, uri, location.get());
            if (!anywhere && !sameOrigin(next, endpoint)) {
                return response;
            }
            response.body().close();
            uri = next;
        }
        throw new FetchException(remoteFile + ": more than " + MAX_REDIRECTS + " redirects from " + from);
    }

    private static URI redirect(RemoteFile remoteFile, URI from, String location) {
        try {
            URI to = from.resolve(location);
            if (to.getHost() != null
                    && (to.getScheme().equals("https") || to.getScheme().equals(from.getScheme()))) {
                return to;
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw new FetchException(
                remoteFile + ": " + from + " redirects to '" + location + "', which is no https address; not followed");
    }

    private HttpResponse<InputStream> sendOnce(RemoteFile remoteFile, HttpRequest request) throws IOException {
        try {
            return client.send(request, HttpResponse.BodyHandlers.ofInputStream());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FetchException(remoteFile + ": interrupted", e);
        }
    }

    private RuntimeException refusal(RemoteFile remoteFile, HttpResponse<InputStream> response, int attempts)
            throws IOException {
        int status = response.statusCode();
        String code = response.headers().firstValue("X-Error-Code").orElse("");
        String said = response.headers().firstValue("X-Error-Message").orElse("");
        response.body().close();
        String page = "https://huggingface.co/" + remoteFile.repository;
        if (code.equals("GatedRepo")) {
            return new FetchException(remoteFile + ": the repository is gated. Accept its terms on " + page
                    + (token.isPresent() ? " with the account of your token" : " and set HF_TOKEN") + ". The hub said: "
                    + said);
        } else if (code.equals("RevisionNotFound")) {
            return new InputException(
                    remoteFile + ": there is no revision '" + remoteFile.revision + "' in " + remoteFile.repository);
        } else if (code.equals("EntryNotFound")) {
            return new InputException(remoteFile + ": there is no such file in this revision");
        } else if (status == 401 && token.isPresent()) {
            return new FetchException(remoteFile + ": the hub refused the token (401 " + said
                    + "). Make a new one with read access and set HF_TOKEN," + " or check the repository's name.");
        } else if (code.equals("RepoNotFound") || status == 401 || status == 404) {
            return new InputException(remoteFile + ": there is no such repository for "
                    + (token.isPresent() ? "the account of your token" : "a visitor without HF_TOKEN")
                    + "; check the name, and if it is private set HF_TOKEN to a token that may read it");
        } else if (status == 403) {
            return new FetchException(remoteFile + ": access denied (403 " + said + "); "
                    + (token.isPresent() ? "the token may not read it" : "set HF_TOKEN"));
        }
        return new FetchException(remoteFile + ": " + response.uri().getHost() + " answered " + status
                + (attempts > 1 ? " " + attempts + " times" : "") + (said.isEmpty() ? "" : " (" + said + ")"));
    }

    private static Optional<Duration> retryAfter(HttpResponse<?> response) {
        return response.headers().firstValue("Retry-After").map(String::strip).flatMap(value -> {
            if (value.matches("\\d{1,9}")) {
                return Optional.of(Duration.ofSeconds(Long.parseLong(value)));
            }
            try {
                Instant then = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME)
                        .toInstant();
                Duration wait = Duration.between(Instant.now(), then);
                return Optional.of(wait.isNegative() ? Duration.ZERO : wait);
            } catch (DateTimeException e) {
                return Optional.empty();
            }
        });
    }

    static void sleep(Duration wait) {
        try {
            Thread.sleep(wait.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FetchException("Interrupted while waiting to try again", e);
        }
    }

    Duration waitBefore(int attempt) {
        return firstWait.multipliedBy(1L << (attempt - 1));
    }

    private static boolean sameOrigin(URI a, URI b) {
        return a.getScheme().equalsIgnoreCase(b.getScheme())
                && a.getHost().equalsIgnoreCase(b.getHost())
                && port(a) == port(b);
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
    }

    private static URI endpoint(HubEnvironment environment) {
        String text =
                environment.get("HF_ENDPOINT").orElse("https://huggingface.co").replaceAll("/+$", "");
        try {
            URI uri = URI.create(text);
            if (uri.getHost() != null && ("https".equals(uri.getScheme()) || "http".equals(uri.getScheme()))) {
                return uri;
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw new InputException("HF_ENDPOINT is '" + text + "', expected http(s)://host");
    }

    private static Optional<String> token(HubEnvironment environment) {
        if (environment.isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            return Optional.empty();
        }
        Optional<String> token = environment
                .get("HF_TOKEN")
                .or(() -> environment.get("HUGGING_FACE_HUB_TOKEN"))
                .or(() -> {
                    Path file = environment
                            .path("HF_TOKEN_PATH")
                            .orElseGet(() -> HfCache.home(environment).resolve("token"));
                    try {
                        return Files.isRegularFile(file)
                                ? Optional.of(Files.readString(file, StandardCharsets.UTF_8)
                                                .strip())
                                        .filter(text -> !text.isEmpty())
                                : Optional.empty();
                    } catch (IOException e) {
                        throw new InputException("Cannot read the token file " + file + ": " + e, e);
                    }
                });
        token.filter(text -> !text.matches("[\\x21-\\x7e]+")).ifPresent(text -> {
            throw new InputException(
                    "HF_TOKEN (or the token file) holds characters that no token has; set it to hf_...");
        });
        return token;
    }

    private static int seconds(HubEnvironment environment, String name, int absent) {
        String text = environment.get(name).orElse(String.valueOf(absent));
        if (!text.matches("[1-9]\\d{0,5}")) {
            throw new InputException(name + " is '" + text + "', expected a whole number of seconds");
        }
        return Integer.parseInt(text);
    }
}
