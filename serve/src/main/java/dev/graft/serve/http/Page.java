package dev.graft.serve.http;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;

/** The page at {@code /}: three files, which ask for nothing but what this server has. */
final class Page implements Route {
    private static final Map<String, String> TYPES = Map.of(
            "index.html", "text/html; charset=utf-8",
            "app.css", "text/css; charset=utf-8",
            "app.js", "text/javascript; charset=utf-8");

    private final String file;

    private Page(String file) {
        this.file = file;
    }

    static void addTo(Map<String, Route> routes) {
        TYPES.keySet().forEach(file -> routes.put("GET /" + (file.equals("index.html") ? "" : file), new Page(file)));
    }

    @Override
    public void answer(Exchange exchange) throws IOException {
        try (InputStream in = Page.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IOException("the page's " + file + " is missing");
            }
            exchange.header(
                    "Content-Security-Policy",
                    "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
            exchange.header("X-Content-Type-Options", "nosniff");
            exchange.header("Referrer-Policy", "no-referrer");
            exchange.header("Cache-Control", "no-cache");
            exchange.send(200, TYPES.getOrDefault(file, "text/plain"), in.readAllBytes());
        }
    }
}
