package dev.graft.hub;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Proxies from the environment variables of curl and Python: {@code HTTPS_PROXY}, {@code HTTP_PROXY}, {@code ALL_PROXY}, {@code NO_PROXY}, in
 * upper or lower case.
 */
final class EnvironmentProxy extends ProxySelector {
    private final HubEnvironment environment;

    EnvironmentProxy(HubEnvironment environment) {
        this.environment = environment;
    }

    @Override
    public List<Proxy> select(URI uri) {
        String host = uri.getHost().toLowerCase(Locale.ROOT);
        for (String pattern : either("NO_PROXY").orElse("").split(",")) {
            String suffix = pattern.strip().toLowerCase(Locale.ROOT).replaceFirst("^\\*?\\.", "");
            if (suffix.equals("*") || host.equals(suffix) || (!suffix.isEmpty() && host.endsWith("." + suffix))) {
                return List.of(Proxy.NO_PROXY);
            }
        }
        String name = uri.getScheme().toUpperCase(Locale.ROOT) + "_PROXY";
        return either(name)
                .or(() -> either("ALL_PROXY"))
                .map(value -> List.of(proxy(name, value)))
                .orElse(List.of(Proxy.NO_PROXY));
    }

    private Optional<String> either(String name) {
        return environment.get(name.toLowerCase(Locale.ROOT)).or(() -> environment.get(name));
    }

    private static Proxy proxy(String name, String value) {
        try {
            URI uri = URI.create(value.contains("://") ? value : "http://" + value);
            if (uri.getHost() != null && uri.getScheme().startsWith("http")) {
                int port = uri.getPort() >= 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
                return new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(uri.getHost(), port));
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw new InputException(name + " is '" + value + "', expected http://host:port");
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException e) {
        // the request itself fails with the same exception
    }
}
