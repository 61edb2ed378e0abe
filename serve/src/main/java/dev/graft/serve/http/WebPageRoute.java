package dev.graft.serve.http;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;

/** The page at {@code /}: three files, which use only this server's API. */
final class WebPageRoute implements Route {
    private static final Map<String, String> TYPES = Map.of(
            "index.html", "text/html; charset=utf-8",
            "app.css", "text/css; charset=utf-8",
            "app.js", "text/javascript; charset=utf-8");

    private final String file;

    private WebPageRoute(String file) {
        this.file = file;
    }

    static void addTo(Map<String, Route> routes) {
        TYPES.keySet()
                .forEach(file -> routes.put("GET /" + (file.equals("index.html") ? "" : file), new WebPageRoute(file)));
    }

    @Override
    public void handle(Exchange exchange) throws IOException {
        try (InputStream in = WebPageRoute.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IOException("the page's " + file + " is missing");
            }
            exchange.setHeader(
                    "Content-Security-Policy",
                    "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
            exchange.setHeader("X-Content-Type-Options", "nosniff");
            exchange.setHeader("Referrer-Policy", "no-referrer");
            exchange.setHeader("Cache-Control", "no-cache");
            exchange.send(200, TYPES.getOrDefault(file, "text/plain"), in.readAllBytes());
        }
    }
}
