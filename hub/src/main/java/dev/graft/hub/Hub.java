package dev.graft.hub;

import dev.graft.formats.InputException;
import dev.graft.hub.internal.Assembly;
import dev.graft.hub.internal.Environment;
import dev.graft.hub.internal.HfClient;
import dev.graft.hub.internal.MavenClient;
import dev.graft.hub.internal.PackageCache;
import dev.graft.hub.internal.PipClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * Brings files onto this machine, once: the second fetch of a package neither starts a client nor touches the network.
 *
 * <pre>{@code
 * Path files = new Hub().fetch("minilm");
 * ModelFiles model = ModelFiles.find(files);
 * }</pre>
 *
 * Decided by environment variables: {@code GRAFT_CACHE} (default {@code ~/.cache/graft}), {@code GRAFT_OFFLINE=1}, and for {@code hf:}
 * those of Python's huggingface_hub, whose cache is shared: {@code HF_HOME}, {@code HF_HUB_CACHE}, {@code HF_ENDPOINT},
 * {@code HF_HUB_OFFLINE}, {@code HF_TOKEN}, {@code HF_TOKEN_PATH}, {@code HF_HUB_DOWNLOAD_TIMEOUT} and the proxy variables.
 */
public final class Hub {
    private final Environment environment;
    private final Progress progress;

    /** A hub as this process's environment says, which reports to nobody. */
    public Hub() {
        this(Progress.SILENT);
    }

    /** A hub as this process's environment says. */
    public Hub(Progress progress) {
        this(System.getenv(), progress);
    }

    /** A hub that sees these environment variables and no others. */
    public Hub(Map<String, String> environment, Progress progress) {
        this.environment = new Environment(environment);
        this.progress = progress;
    }

    /** {@link #fetch(Source)} of {@link Source#parse}. */
    public Path fetch(String source) {
        return fetch(Source.parse(source));
    }

    /**
     * The local folder (for {@code file:} perhaps a single file) with the content of a source.
     *
     * @throws InputException if the source does not exist
     * @throws FetchException if it cannot be had now: no client, no network, offline mode, a wrong checksum
     */
    public Path fetch(Source source) {
        PackageCache cache = new PackageCache(environment.cache());
        if (source instanceof Source.Local local) {
            return local(local);
        } else if (source instanceof Source.Maven maven) {
            return cache.files(
                    maven,
                    Path.of("maven", maven.group(), maven.artifact(), maven.version()),
                    progress,
                    (work, destination, bytes) ->
                            new MavenClient(environment).fetch(maven, work, destination, bytes, progress));
        } else if (source instanceof Source.Pypi pypi) {
            String name = pypi.name().toLowerCase(Locale.ROOT).replaceAll("[-_.]+", "-"); // PEP 503
            return cache.files(
                    pypi,
                    Path.of("pypi", name, pypi.version()),
                    progress,
                    (work, destination, bytes) ->
                            new PipClient(environment).fetch(pypi, work, destination, bytes, progress));
        } else if (source instanceof Source.Assembled assembled) {
            Catalogue.Entry entry = Catalogue.find(assembled.name())
                    .orElseThrow(() -> new InputException(assembled + ": there is no such name in the catalogue"));
            return new Assembly(environment.cache(), entry).files(this::fetch, progress);
        } else {
            return new HfClient(environment, progress).fetch((Source.HuggingFace) source);
        }
    }

    private static Path local(Source.Local source) {
        if (!Files.exists(source.path())) {
            throw new InputException(
                    source + ": no such file or folder (" + source.path().toAbsolutePath() + ")");
        }
        return source.path();
    }
}
