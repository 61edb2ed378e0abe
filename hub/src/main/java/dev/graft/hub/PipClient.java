package dev.graft.hub;

import dev.graft.formats.AtomicWrite;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Downloads a package through the installed {@code pip}, with the index, proxies and certificates of its configuration.
 */
record PipClient(HubEnvironment environment) {

    /** Writes the wheel to {@code destination}; {@code work} is an empty folder for the run. */
    void fetch(Source.Pypi source, Path work, Path destination, long bytes, DownloadProgress progress) {
        String requirement = source.name() + "==" + source.version();
        download(source, List.of("--only-binary=:all:", requirement), requirement, work, destination, bytes, progress);
    }

    /**
     * Writes the source package to {@code destination}. pip runs its build script to read the name, so the digest is checked first.
     *
     * @param sha256 the digest of the package
     */
    void fetch(Source.Sdist source, String sha256, Path work, Path destination, long bytes, DownloadProgress progress) {
        String requirement = source.name() + "==" + source.version();
        Path file = work.resolve("requirements.txt");
        AtomicWrite.text(file, requirement + " --hash=sha256:" + sha256 + "\n");
        List<String> words = List.of("--no-binary=:all:", "--require-hashes", "-r", file.toString());
        download(source, words, requirement, work, destination, bytes, progress);
    }

    private void download(
            Source source,
            List<String> what,
            String requirement,
            Path work,
            Path destination,
            long bytes,
            DownloadProgress progress) {
        environment.offline().ifPresent(name -> {
            throw new FetchException(source + " is not in the cache and " + name
                    + " is set: fetch it once while online (graft pull " + source + "), then it needs no network");
        });
        for (List<String> pip : installed()) {
            List<String> words = new ArrayList<>(pip);
            words.addAll(List.of(
                    "download",
                    "--no-deps",
                    "--no-input",
                    "--progress-bar=off",
                    "--disable-pip-version-check",
                    "--dest",
                    destination.toString()));
            words.addAll(what);
            Map<String, String> variables = new HashMap<>(environment.variables());
            variables.put("TMPDIR", folder(work, "download-" + pip.size()).toString());
            CommandResult command = CommandResult.run(
                    words,
                    folder(work, "run-" + pip.get(0).hashCode()),
                    variables,
                    work,
                    "pip " + requirement,
                    bytes,
                    progress);
            if (command.exitCode() == 0) {
                return;
            }
            if (!command.output().contains("No module named pip")) {
                throw new FetchException(source + ": pip ended with exit code " + command.exitCode()
                        + ". To see it by itself run:\n  pip download --no-deps " + what.get(0) + " " + requirement
                        + "\nIt said:\n"
                        + command.tail());
            }
        }
        throw new FetchException(
                source + " needs pip, and neither 'python3 -m pip' nor 'pip3' nor 'pip' works here. Install it (Debian,"
                        + " Ubuntu: apt-get install python3-pip; macOS: brew install python) and try again.");
    }

    private List<List<String>> installed() {
        List<List<String>> found = new ArrayList<>();
        environment.executable("python3").ifPresent(python -> found.add(List.of(python.toString(), "-m", "pip")));
        environment.executable("pip3").ifPresent(pip -> found.add(List.of(pip.toString())));
        environment.executable("pip").ifPresent(pip -> found.add(List.of(pip.toString())));
        return found;
    }

    private static Path folder(Path parent, String name) {
        try {
            return Files.createDirectories(parent.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
