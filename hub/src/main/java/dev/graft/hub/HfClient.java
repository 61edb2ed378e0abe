package dev.graft.hub;

import dev.graft.formats.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * Fetches the files of a model from the Hugging Face hub into huggingface_hub's own cache, and uses the files already there.
 *
 * <p>A branch or tag costs one request for its commit, as in Python. If the hub cannot be reached, the cached snapshot is used. A commit with a
 * complete snapshot costs no request.
 */
final class HfClient {
    private static final int MAX_ANSWER_BYTES = 64 << 20;

    private final HubEnvironment environment;
    private final DownloadProgress progress;
    private final Duration firstWait;

    HfClient(HubEnvironment environment, DownloadProgress progress) {
        this(environment, progress, Duration.ofSeconds(1));
    }

    HfClient(HubEnvironment environment, DownloadProgress progress, Duration firstWait) {
        this.environment = environment;
        this.progress = progress;
        this.firstWait = firstWait;
    }

    /** Returns the snapshot folder of the repository at the revision. */
    Path fetch(Source.HuggingFace source) {
        HfCache cache = HfCache.of(environment, source.repository());
        Snapshots snapshots = new Snapshots(environment, cache, source);
        Optional<String> offline = environment.offline();
        if (offline.isPresent()) {
            return snapshots.usable().orElseThrow(() -> snapshots.unusable(offline.get()));
        }
        if (HfCache.isCommit(source.revision()) && snapshots.listed(source.revision())) {
            return cache.snapshot(source.revision());
        }
        HfHttp http = new HfHttp(environment, firstWait);
        try {
            return online(http, cache, snapshots, source);
        } catch (HfHttp.UnreachableException e) {
            return snapshots.usable().orElseThrow(() -> new FetchException(String.valueOf(e.getMessage()), e));
        }
    }

    private Path online(HfHttp http, HfCache cache, Snapshots snapshots, Source.HuggingFace source) {
        String repository = source.repository();
        JsonNode info = info(http, source);
        String commit = info.path("sha").asString("");
        if (!HfCache.isCommit(commit)) {
            throw new FetchException(source + ": " + http.uri("")
                    + " states no commit for this revision; is HF_ENDPOINT a Hugging Face hub?");
        }
        List<String> names = info.path("siblings")
                .valueStream()
                .map(file -> file.path("rfilename").asString(""))
                .toList();
        names.stream().filter(name -> !SafePath.isSafe(name)).findFirst().ifPresent(name -> {
            throw new FetchException(
                    source + ": the hub lists a file named '" + name + "', which is not a plain relative path");
        });
        WantedFiles wanted = WantedFiles.of(repository, names);
        cache.remember(source.revision(), commit);
        bring(http, cache, source, commit, wanted.companions());
        List<String> shards = wanted.companions().contains(SafetensorsIndex.NAME)
                ? SafetensorsIndex.shards(cache.snapshot(commit).resolve(SafetensorsIndex.NAME))
                : List.of();
        List<String> weights =
                Stream.concat(wanted.weights().stream(), shards.stream()).toList();
        bring(http, cache, source, commit, weights);
        snapshots.remember(
                commit,
                Stream.concat(wanted.companions().stream(), weights.stream()).toList());
        return cache.snapshot(commit);
    }

    private static JsonNode info(HfHttp http, Source.HuggingFace source) {
        var remoteFile = new HfHttp.RemoteFile(source.repository(), source.revision(), "");
        URI uri = http.uri("/api/models/" + source.repository() + "/revision/"
                + URLEncoder.encode(source.revision(), StandardCharsets.UTF_8));
        try (InputStream body =
                new StallGuard(http.get(remoteFile, uri, Map.of()).body(), http.timeout())) {
            return Json.parse(uri.toString(), body.readNBytes(MAX_ANSWER_BYTES));
        } catch (IOException e) {
            throw new FetchException(remoteFile + ": the answer of " + uri + " broke off (" + e + "); try again", e);
        }
    }

    /** Adds the named files to the snapshot. */
    private void bring(HfHttp http, HfCache cache, Source.HuggingFace source, String commit, List<String> names) {
        Map<String, Blob> missing = new LinkedHashMap<>();
        for (String name : names) {
            if (!cache.has(commit, name)) {
                missing.put(name, blob(http, source, commit, name));
            }
        }
        ProgressMeter progressMeter = new ProgressMeter("download " + source, missing.values(), progress);
        missing.forEach((name, blob) -> {
            Path file = cache.blob(blob.etag());
            try (LockFile lock = LockFile.acquire(cache.lock(blob.etag()), progress)) {
                if (Files.isRegularFile(file)) {
                    progressMeter.add(blob.size());
                } else {
                    Files.createDirectories(file.getParent());
                    new Download(
                                    http,
                                    target(source, name),
                                    resolve(http, source, commit, name),
                                    blob,
                                    progressMeter::add)
                            .into(file);
                }
            } catch (IOException e) {
                throw new UncheckedIOException("Cannot write into " + cache.folder() + ": " + e, e);
            }
            cache.link(commit, name, blob.etag());
        });
    }

    private static Blob blob(HfHttp http, Source.HuggingFace source, String commit, String name) {
        HttpResponse<InputStream> response = http.head(target(source, name), resolve(http, source, commit, name));
        HttpHeaders headers = response.headers();
        if (!headers.firstValue("X-Repo-Commit").equals(Optional.of(commit))) {
            throw new FetchException(target(source, name) + ": " + response.uri() + " answers for commit "
                    + headers.firstValue("X-Repo-Commit").orElse("(none)") + ", expected " + commit
                    + "; is HF_ENDPOINT a Hugging Face hub?");
        }
        String etag = headers.firstValue("X-Linked-Etag")
                .or(() -> headers.firstValue("ETag"))
                .map(value -> value.replaceFirst("^W/", "").replace("\"", ""))
                .orElseThrow(() -> new FetchException(
                        target(source, name) + ": the hub states no entity tag, so the file cannot be checked"));
        boolean redirect = response.statusCode() >= 300;
        long size = headers.firstValueAsLong("X-Linked-Size")
                .orElse(
                        redirect
                                ? -1
                                : headers.firstValueAsLong("Content-Length").orElse(-1));
        return new Blob(etag, size);
    }

    private static HfHttp.RemoteFile target(Source.HuggingFace source, String name) {
        return new HfHttp.RemoteFile(source.repository(), source.revision(), name);
    }

    private static URI resolve(HfHttp http, Source.HuggingFace source, String commit, String name) {
        String path = String.join(
                "/",
                Stream.of(name.split("/"))
                        .map(part ->
                                URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20"))
                        .toList());
        return http.uri("/" + source.repository() + "/resolve/" + commit + "/" + path);
    }
}
