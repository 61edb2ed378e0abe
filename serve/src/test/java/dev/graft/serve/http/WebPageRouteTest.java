package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class WebPageRouteTest {
    private static TinyChat tiny;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 1 << 20), TinyChat.options());
    }

    @AfterAll
    static void stop() {
        tiny.close();
    }

    @Test
    void thePageAsksNobodyElse() {
        Client client = new Client(tiny.server.address());
        for (String path : List.of("/", "/app.js", "/app.css")) {
            Client.Reply reply = client.get(path);
            assertThat(reply.status()).isEqualTo(200);
            assertThat(reply.body()).doesNotContain("http:", "https:", "//cdn", "innerHTML", "eval(");
            assertThat(reply.response()
                            .headers()
                            .firstValue("Content-Security-Policy")
                            .orElse(""))
                    .startsWith("default-src 'self'");
        }
    }

    private static Optional<Path> chromium() {
        return Stream.of("chromium", "chromium-browser", "google-chrome")
                .flatMap(name -> Stream.of(System.getenv("PATH").split(":")).map(folder -> Path.of(folder, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }

    @Test
    @Tag("slow")
    void twoAnswersAreStreamedSideBySide(@TempDir Path folder) throws Exception {
        String dom = opened(folder, tiny.server);

        assertThat(dom).contains("data-asked=\"true\"");
        List<String> speeds = Pattern.compile("12 tokens in [0-9.]+ s, [0-9.]+ tokens/s, first after [0-9]+ ms")
                .matcher(dom)
                .results()
                .map(match -> match.group())
                .toList();
        assertThat(speeds).hasSize(2);
        assertThat(answers(dom)).hasSize(2).doesNotHaveDuplicates();
        assertThat(dom).contains("lora, ").doesNotContain("class=\"failed\"");
    }

    @Test
    @Tag("slow")
    void aBaseWithoutAChatTemplateGoesOnWithTheText(@TempDir Path folder) throws Exception {
        try (Engine engine = new Engine(tiny.base, tiny.base.tokenizer(), new Engine.Options(8, 64, 16, 1 << 20));
                Server server = Server.forGeneration(engine, tiny.adapters, null, new Metrics(), TinyChat.options())) {
            String dom = opened(folder, server);

            assertThat(answers(dom)).hasSize(2);
            assertThat(dom).contains("12 tokens in ").doesNotContain("class=\"failed\"");
        }
    }

    /** What a link of the page shows in a real browser when both answers are there. */
    private static String opened(Path folder, Server server) throws IOException, InterruptedException {
        Optional<Path> browser = chromium();
        assumeTrue(browser.isPresent(), "no Chromium on the path");
        Process process = new ProcessBuilder(
                        browser.orElseThrow().toString(),
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--user-data-dir=" + folder,
                        "--virtual-time-budget=60000",
                        "--dump-dom",
                        server.address() + "/#left=poet&right=clerk&prompt=Hello&tokens=12&ask")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String dom = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return dom;
    }

    private static List<String> answers(String dom) {
        return Pattern.compile("<output[^>]*>([^<]+)</output>")
                .matcher(dom)
                .results()
                .map(match -> match.group(1))
                .toList();
    }
}
