package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TlsTest {
    @TempDir
    Path folder;

    private static String pem(String what, byte[] bytes) {
        return "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder().encodeToString(bytes) + "\n-----END " + what
                + "-----\n";
    }

    private KeyStore made() throws Exception {
        Path store = folder.resolve("made.p12");
        String keytool =
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        Process process = new ProcessBuilder(
                        keytool,
                        "-genkeypair",
                        "-keystore",
                        store.toString(),
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        "password",
                        "-alias",
                        "own",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "san=dns:localhost,ip:127.0.0.1")
                .redirectErrorStream(true)
                .start();
        process.getInputStream().readAllBytes();
        assertThat(process.waitFor()).isZero();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, "password".toCharArray());
        }
        return keys;
    }

    @Test
    void filesOfPemMakeAServerOfHttps() throws Exception {
        KeyStore keys = made();
        Path certificate = Files.writeString(
                folder.resolve("chain.pem"),
                pem("CERTIFICATE", keys.getCertificate("own").getEncoded()));
        Path key = Files.writeString(
                folder.resolve("key.pem"),
                pem("PRIVATE KEY", keys.getKey("own", "password".toCharArray()).getEncoded()));
        ServerOptions options = TinyChat.options().withTls(new Tls(certificate, key));
        try (TinyChat tiny = new TinyChat(folder, Engine.Options.DEFAULT, options)) {
            KeyStore trusted = KeyStore.getInstance("PKCS12");
            trusted.load(null, null);
            trusted.setCertificateEntry("own", keys.getCertificate("own"));
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(trusted);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            assertThat(statusLine(context, tiny.server.address(), "gateway.example"))
                    .isEqualTo("HTTP/1.1 200 OK");
            HttpResponse<String> reply = HttpClient.newBuilder()
                    .sslContext(context)
                    .version(HttpClient.Version.HTTP_1_1)
                    .build()
                    .send(
                            HttpRequest.newBuilder(tiny.server.address().resolve("/v1/completions"))
                                    .header("Content-Type", "application/json")
                                    .POST(HttpRequest.BodyPublishers.ofString(
                                            "{\"model\": \"poet\", \"prompt\": \"Hello\", \"max_tokens\": 3}"))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());

            assertThat(tiny.server.address().getScheme()).isEqualTo("https");
            assertThat(reply.statusCode()).isEqualTo(200);
        }
    }

    /** Of a client that came by another name than the certificate's, as probes and proxies do. */
    private static String statusLine(SSLContext context, URI server, String host) throws IOException {
        try (Socket socket = context.getSocketFactory().createSocket(server.getHost(), server.getPort())) {
            socket.getOutputStream()
                    .write(("GET /health HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .findFirst()
                    .orElse("");
        }
    }

    @Test
    void whatIsNoCertificateIsRefused() throws Exception {
        Path rubbish = Files.writeString(folder.resolve("rubbish.pem"), "rubbish");

        assertThatThrownBy(() -> new Tls(rubbish, rubbish).context()).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> new Tls(rubbish, folder.resolve("none")).context())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("can't be read");
    }
}
