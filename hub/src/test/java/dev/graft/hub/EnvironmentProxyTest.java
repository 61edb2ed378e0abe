package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EnvironmentProxyTest {
    static Proxy proxy(Map<String, String> environment, String uri) {
        return new EnvironmentProxy(new HubEnvironment(environment))
                .select(URI.create(uri))
                .get(0);
    }

    @Test
    void schemeDecidesTheVariableAndNoProxyTheExceptions() {
        var environment = Map.of("HTTPS_PROXY", "http://p.example:3128", "no_proxy", "localhost,.inner.example");

        assertThat(((InetSocketAddress)
                                proxy(environment, "https://huggingface.co").address())
                        .getHostString())
                .isEqualTo("p.example");
        assertThat(((InetSocketAddress)
                                proxy(environment, "https://huggingface.co").address())
                        .getPort())
                .isEqualTo(3128);
        assertThat(proxy(environment, "http://huggingface.co")).isEqualTo(Proxy.NO_PROXY);
        assertThat(proxy(environment, "https://a.inner.example")).isEqualTo(Proxy.NO_PROXY);
        assertThat(proxy(environment, "https://notinner.example")).isNotEqualTo(Proxy.NO_PROXY);
        assertThat(proxy(Map.of("HTTPS_PROXY", "http://p:1", "NO_PROXY", "*"), "https://x.example"))
                .isEqualTo(Proxy.NO_PROXY);
    }

    @Test
    void socksProxyIsRefusedAndNotBypassed() {
        assertThatThrownBy(() -> proxy(Map.of("ALL_PROXY", "socks5://p:1080"), "https://huggingface.co"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("socks5://p:1080");
    }
}
