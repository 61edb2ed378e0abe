package dev.graft.hub;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * Fetches files to this machine, once: a second fetch of a package neither starts a client nor uses the network.
 *
 * <pre>{@code
 * Path files = new Hub().fetch("minilm");
 * ModelFiles model = ModelFiles.find(files);
 * }</pre>
 *
 * Environment variables configure it: {@code GRAFT_CACHE} (default {@code ~/.cache/graft}), {@code GRAFT_OFFLINE=1}, and for {@code hf:} those of
 * Python's huggingface_hub, whose cache is shared: {@code HF_HOME}, {@code HF_HUB_CACHE}, {@code HF_ENDPOINT}, {@code HF_HUB_OFFLINE},
 * {@code HF_TOKEN}, {@code HF_TOKEN_PATH}, {@code HF_HUB_DOWNLOAD_TIMEOUT} and the proxy variables.
 */
public final class Hub {
    private final HubEnvironment environment;
    private final DownloadProgress progress;

    /** Creates a hub with this process's environment, without progress reports. */
    public Hub() {
        this(DownloadProgress.SILENT);
    }

    /** Creates a hub with this process's environment. */
    public Hub(DownloadProgress progress) {
        this(System.getenv(), progress);
    }

    /** Creates a hub that sees these environment variables and no others. */
    public Hub(Map<String, String> environment, DownloadProgress progress) {
        this.environment = new HubEnvironment(environment);
        this.progress = progress;
    }

    /** Returns {@link #fetch(Source)} of {@link Source#parse}. */
    public Path fetch(String source) {
        return fetch(Source.parse(source));
    }

    /**
     * Returns the local folder (for {@code file:} perhaps a single file) with the content of a source.
     *
     * @throws InputException if the source does not exist
     * @throws FetchException if it cannot be fetched now: no client, no network, offline mode, a wrong checksum
     */
    public Path fetch(Source source) {
        if (source instanceof Source.Local local) {
            return local(local);
        } else if (source instanceof Source.Maven maven) {
            return cached(
                    maven,
                    Path.of("maven", maven.group(), maven.artifact(), maven.version()),
                    (work, destination, bytes) ->
                            new MavenClient(environment).fetch(maven, work, destination, bytes, progress));
        } else if (source instanceof Source.Pypi pypi) {
            return cached(
                    pypi,
                    Path.of("pypi", normalised(pypi.name()), pypi.version()),
                    (work, destination, bytes) ->
                            new PipClient(environment).fetch(pypi, work, destination, bytes, progress));
        } else if (source instanceof Source.Sdist sdist) {
            String sha256 = Catalogue.artifact(sdist.toString())
                    .map(Catalogue.Artifact::sha256)
                    .orElseThrow(() -> new InputException(
                            sdist + ": pip runs a source package's build script, so only those of the"
                                    + " catalogue are fetched, whose checksum is known; use pypi:name==version"
                                    + " for a wheel"));
            return cached(
                    sdist,
                    Path.of("sdist", normalised(sdist.name()), sdist.version()),
                    (work, destination, bytes) ->
                            new PipClient(environment).fetch(sdist, sha256, work, destination, bytes, progress));
        } else if (source instanceof Source.Npm npm) {
            return cached(
                    npm,
                    Path.of("npm", npm.name(), npm.version()),
                    (work, destination, bytes) ->
                            new NpmClient(environment).fetch(npm, work, destination, bytes, progress));
        } else if (source instanceof Source.Apt apt) {
            return cached(
                    apt,
                    Path.of("apt", apt.name(), apt.version()),
                    (work, destination, bytes) ->
                            new AptClient(environment).fetch(apt, work, destination, bytes, progress));
        } else if (source instanceof Source.AptIndex index) {
            return cached(
                    index,
                    Path.of("apt-index", index.release()),
                    (work, destination, bytes) ->
                            new AptIndexClient(environment).fetch(index, work, destination, bytes, progress));
        } else if (source instanceof Source.Assembled assembled) {
            Catalogue.Entry entry = Catalogue.find(assembled.name())
                    .orElseThrow(() -> new InputException(assembled + ": there is no such name in the catalogue"));
            return new AssembledFiles(environment.cache(), entry).files(this::fetch, progress);
        } else {
            return new HfClient(environment, progress).fetch((Source.HuggingFace) source);
        }
    }

    private Path cached(Source source, Path key, PackageCache.Client client) {
        return new PackageCache(environment.cache()).files(source, key, progress, client);
    }

    /** A package's name as an index has it (PEP 503). */
    private static String normalised(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[-_.]+", "-");
    }

    /**
     * Returns a folder of the cache that {@code body} creates once from fetched files. A folder that exists is complete.
     *
     * @param name the name of the folder, which identifies its ingredients and their processing
     * @param body fills the folder if it does not exist
     */
    public Path build(String name, AtomicWrite.FolderBody body) {
        Path cache = environment.cache();
        Path home = cache.resolve("made").resolve(name);
        if (!Files.isDirectory(home)) {
            try (LockFile lock = LockFile.acquire(cache.resolve("locks").resolve("made-" + name + ".lock"), progress)) {
                if (!Files.isDirectory(home)) {
                    AtomicWrite.folder(home, body);
                }
            }
        }
        return home;
    }

    private static Path local(Source.Local source) {
        if (!Files.exists(source.path())) {
            throw new InputException(
                    source + ": no such file or folder (" + source.path().toAbsolutePath() + ")");
        }
        return source.path();
    }
}
